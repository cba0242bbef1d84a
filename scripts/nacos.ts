// `node scripts/nacos.ts fetch|build`: a Nacos for `npm run test:nacos`, in the cache. Without it the tests fetch what they need.
import { buildRnacos, fetchNacos } from '../src/demo/nacos/install.ts';

const commands = { fetch: fetchNacos, build: buildRnacos };
const [name = ''] = process.argv.slice(2);
if (name === 'fetch' || name === 'build') console.log(await commands[name]());
else {
  console.error(
    'usage: node scripts/nacos.ts fetch|build\n' +
      '  fetch  Nacos from Maven Central: 150 MB; needs mvn and a JDK of 17 or later\n' +
      '  build  r-nacos from its sources: about twenty minutes; needs cargo',
  );
  process.exitCode = 64;
}
