/**
 * Which instances of a host hang, as far as it can tell. Pure.
 *
 * A host that finds most of its instances silent rather has a fault of its own, such as a disk that
 * hangs, or a kernel that delivers nothing. Rebooting them would make that worse.
 */
import type { CheckResult, HungFact } from '../model/instance-check.ts'
import type { InstanceWant } from '../model/want.ts'

/** What is known of an instance that is asked. */
export interface Asked {
  readonly want: Pick<InstanceWant, 'id' | 'recover'>
  readonly bootCount: number
  /** Whether it has answered this process. */
  readonly hasAnswered: boolean
  readonly result: CheckResult | null
  /** How long it has failed; null: it has not. */
  readonly failedMs: number | null
}

/**
 * Those with the tag `atoll:recover` that hang, if asking works: this process has heard them, or
 * hears another one, and not more than half of all fail.
 */
export function hungOf(all: readonly Asked[], afterMs: number): readonly HungFact[] {
  const asked = all.filter(({ result }) => result !== null)
  const passed = asked.filter(({ result }) => result === 'passed').length
  const others = asked.length - passed
  if (others > 1 && others > passed) return []
  return asked.flatMap(({ want, bootCount, hasAnswered, result, failedMs }): HungFact[] => {
    if (want.recover === undefined || result !== 'failed' || failedMs === null) return []
    if (!hasAnswered && passed === 0) return []
    return [{ kind: 'hung', instance: want.id, bootCount, forMs: failedMs, afterMs }]
  })
}
