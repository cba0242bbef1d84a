// Turns src/ into dist/: JavaScript of the same shape, and beside it the files that are read at run time.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const checkout = fileURLToPath(new URL('..', import.meta.url));
const dist = join(checkout, 'dist');

rmSync(dist, { recursive: true, force: true }); // else a file that src no longer has would be shipped
const { status } = spawnSync('tsc', ['--project', 'tsconfig.build.json'], { cwd: checkout, stdio: 'inherit' });
if (status !== 0) process.exit(1);
cpSync(join(checkout, 'src'), dist, {
  recursive: true,
  filter: (path) => statSync(path).isDirectory() || !path.endsWith('.ts'),
});
chmodSync(join(dist, 'main.js'), 0o755);
