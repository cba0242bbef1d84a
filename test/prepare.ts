// Before any test: the Envoy that they all start is there, fetched once.
import { findEnvoy } from '../src/supervisor/binary/find.ts';

export async function setup(): Promise<void> {
  await findEnvoy({ say: (what) => console.log(what) });
}
