/** Boots that the records have lost, because they lost commits or were restored. Pure. */
import type { InstanceWant } from '../model/want.ts'

/**
 * What is wanted of an instance whose host has begun a later boot than the records ask for: that
 * one. So the facts about it bring it into the records (`model/lifecycle.ts`), and the next reboot
 * is not taken for done.
 */
export function atLatestBoot(want: InstanceWant, bootCount: number | null): InstanceWant {
  return bootCount === null || bootCount <= want.bootCount ? want : { ...want, bootCount }
}
