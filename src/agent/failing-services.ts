/** Which services of a host are failing, and why. Pure. */
import type { HostService } from '../services/service.ts'

/** The reasons for each service whose `apply` failed or that waits for a hung program. */
export function failingServices(
  failed: ReadonlyMap<string, string>,
  services: readonly Pick<HostService, 'name' | 'hanging'>[],
): Readonly<Record<string, string>> {
  const found = new Map(failed)
  for (const { name, hanging } of services) {
    const reasons = [failed.get(name) ?? [], hanging?.() ?? []].flat()
    if (reasons.length > 0) found.set(name, reasons.join('; '))
  }
  return Object.fromEntries(found)
}
