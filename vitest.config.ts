import { configDefaults, defineConfig } from 'vitest/config'
import { isLong, LONG_FILES } from './test/long-files.ts'
import { LongestFirst } from './test/longest-first.ts'

/** They measure: nothing else should run beside them. */
const DRILLS = 'test/lab/drills.test.ts'
const FETCHED = 'test/kit/fetched-before.ts'
/** Files at a time, however many processors there are: tests mostly wait for what they started. */
const WORKERS = 2
/** Tests at a time of those that mostly wait for answers that must not come (`test.concurrent`). */
const PINGS = 25

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/*.test.ts', 'test/unit/**/*.test.ts', 'test/sim/**/*.test.ts'],
          maxWorkers: WORKERS,
          // Far beyond what a test needs: on a loaded machine 5 s are not much.
          testTimeout: 30_000,
          hookTimeout: 30_000,
          expect: { poll: { timeout: 20_000 } },
        },
      },
      {
        test: {
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...(isLong ? [] : Object.keys(LONG_FILES))],
          maxWorkers: WORKERS,
          testTimeout: 60_000,
          // Each test begins with a database of its own.
          hookTimeout: 60_000,
          expect: { poll: { timeout: 20_000 } },
        },
      },
      {
        // Each in network namespaces and with a Docker engine of its own.
        test: {
          name: 'lab',
          globalSetup: FETCHED,
          include: ['test/lab/**/*.test.ts'],
          exclude: [...configDefaults.exclude, DRILLS, ...(isLong ? [] : Object.keys(LONG_FILES))],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          expect: { poll: { timeout: 20_000 } },
          maxWorkers: WORKERS,
          maxConcurrency: PINGS,
        },
      },
      {
        // Attacks need the kernel and real clients, as the lab does.
        test: {
          name: 'attack',
          globalSetup: FETCHED,
          include: ['test/attack/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...(isLong ? [] : Object.keys(LONG_FILES))],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          expect: { poll: { timeout: 20_000 } },
          maxWorkers: WORKERS,
          maxConcurrency: PINGS,
        },
      },
      // Clients that others wrote: what they do is written into docs/compatibility.md.
      {
        test: {
          name: 'clients',
          globalSetup: 'test/clients/page.ts',
          include: ['test/clients/*.test.ts'],
          exclude: [...configDefaults.exclude, ...(isLong ? [] : Object.keys(LONG_FILES))],
          hookTimeout: 300_000,
          maxWorkers: WORKERS,
        },
      },
      { test: { name: 'drills', include: [DRILLS] } },
      // What the pages show, on a machine where nothing has run.
      {
        test: {
          name: 'fresh',
          include: ['test/fresh/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...(isLong ? [] : Object.keys(LONG_FILES))],
          maxWorkers: 1,
        },
      },
    ],
  },
})
