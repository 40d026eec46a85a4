/**
 * The order of test files: the longest begin first, so that no worker is left alone with one of
 * them at the end. Files that Vitest has not measured are ordered by size.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** In seconds, beside other tests on two processors. */
const SECONDS: Readonly<Record<string, number>> = {
  'test/lab/every-failure.test.ts': 190,
  'test/lab/crash.test.ts': 180,
  'test/lab/create-image.test.ts': 110,
  'test/lab/operators-containers.test.ts': 60,
  'test/lab/operators.test.ts': 60,
  'test/contract/store-mariadb.test.ts': 60,
  'test/lab/machines.test.ts': 55,
  'test/contract/workloads-qemu.test.ts': 50,
  'test/contract/bus-rabbit.test.ts': 45,
  'test/lab/cloud.test.ts': 43,
  'test/lab/console.test.ts': 43,
  'test/lab/shortage.test.ts': 42,
  'test/lab/services/workloads.test.ts': 38,
  'test/attack/host-copied.test.ts': 33,
  'test/contract/store.test.ts': 32,
  'test/unit/images/source-http.test.ts': 30,
}

/** Vitest's own order, but for these. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).toSorted((a, b) => secondsOf(b) - secondsOf(a))
  }
}

function secondsOf({ moduleId }: TestSpecification): number {
  const found = Object.entries(SECONDS).find(([file]) => moduleId.endsWith(`/${file}`))
  return found?.[1] ?? 0
}
