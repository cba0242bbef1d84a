// Writes what is generated and checked in: the examples of envoy/, the tables of the README.
import { writeFileSync } from 'node:fs';
import { exampleFolder, examples, renderExample } from './examples.ts';
import { readmeFile, renderReadme } from './readme.ts';

for (const name of Object.keys(examples)) {
  writeFileSync(`${exampleFolder}${name}.yaml`, await renderExample(name));
  console.log(`envoy/${name}.yaml`);
}
writeFileSync(readmeFile, await renderReadme());
console.log('README.md');
