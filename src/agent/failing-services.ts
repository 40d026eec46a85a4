/** What is not well with the services of a host. Pure. */
import type { HostService } from '../services/service.ts'

/**
 * Services whose `apply` failed, and those that wait for something that hangs: what is told of
 * each.
 */
export function failingServices(
  failed: ReadonlyMap<string, string>,
  services: readonly Pick<HostService, 'name' | 'hanging'>[],
): Readonly<Record<string, string>> {
  const told = new Map(failed)
  for (const { name, hanging } of services) {
    const reasons = [failed.get(name) ?? [], hanging?.() ?? []].flat()
    if (reasons.length > 0) told.set(name, reasons.join('; '))
  }
  return Object.fromEntries(told)
}
