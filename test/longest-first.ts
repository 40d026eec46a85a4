/**
 * The order of test files: the longest begin first, so that no worker is left alone with one of
 * them at the end. Files that Vitest has not measured are ordered by size.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** In seconds, alone on two processors. */
const SECONDS: Readonly<Record<string, number>> = {
  'test/lab/every-failure.test.ts': 156,
  'test/lab/crash.test.ts': 130,
  'test/lab/operators.test.ts': 60,
}

/** Vitest's own order, but for these. */
export class LongestFirst extends BaseSequencer {
  /** Projects stay together and in their order. */
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const projects = Map.groupBy(await super.sort(files), ({ project }) => project)
    return [...projects.values()].flatMap((ofProject) =>
      ofProject.toSorted((a, b) => secondsOf(b) - secondsOf(a)),
    )
  }
}

function secondsOf({ moduleId }: TestSpecification): number {
  const found = Object.entries(SECONDS).find(([file]) => moduleId.endsWith(`/${file}`))
  return found?.[1] ?? 0
}
