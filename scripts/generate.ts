// Writes what is generated and checked in: the examples of envoy/.
import { writeFileSync } from 'node:fs';
import { exampleFolder, examples, renderExample } from './examples.ts';

for (const name of Object.keys(examples)) {
  writeFileSync(`${exampleFolder}${name}.yaml`, await renderExample(name));
  console.log(`envoy/${name}.yaml`);
}
