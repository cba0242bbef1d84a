import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/prepare.ts',
    // Minutes long; npm run test:soak.
    exclude: process.env['SOAK'] ? [] : ['test/soak/**'],
    // Two cores, and every file of test/envoy starts real Envoys: more at once only makes each of them late.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
