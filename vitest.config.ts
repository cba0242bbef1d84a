import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/prepare.ts',
    // Minutes long: npm run test:soak. Network namespaces: npm run test:pods:netns. Java: npm run test:java, test:jdbc.
    exclude: [
      ...(process.env['SOAK'] ? [] : ['test/soak/**']),
      ...(process.env['PODS'] ? [] : ['test/pods/**', 'test/demo/pods.test.ts', 'test/java/spring.test.ts']),
      ...(process.env['JDBC'] ? [] : ['test/java/jdbc.test.ts']),
    ],
    // Two cores, and every file of test/envoy starts real Envoys: more at once only makes each of them late.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
