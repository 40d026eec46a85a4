/**
 * Parameters of RunInstances with a single accepted value, the one that describes every instance of
 * Atoll. Any other value is refused by name. Launchers send these parameters because of their own
 * defaults. Pure.
 */
import { z } from 'zod'
import { nothing } from '../networks/nic-addresses.ts'
import { onlySchema, withoutEffect } from '../schemas.ts'

/** Members of the request. */
export const fixedShape = {
  Ipv6AddressCount: onlySchema(0, 'Ipv6AddressCount: no IPv6'),
  Ipv6Addresses: nothing('Ipv6Addresses: no IPv6'),
  EnablePrimaryIpv6: onlySchema(false, 'EnablePrimaryIpv6: no IPv6'),
  // There are no CPU credits, so both values mean the same.
  CreditSpecification: withoutEffect(
    z.strictObject({ CpuCredits: z.enum(['standard', 'unlimited']) }).optional(),
  ),
  CpuOptions: z
    .strictObject({
      CoreCount: z.int().min(1).optional(),
      ThreadsPerCore: onlySchema(
        1,
        'CpuOptions.ThreadsPerCore: each vCPU is a core of one thread; use 1',
      ),
      AmdSevSnp: onlySchema('disabled', 'CpuOptions.AmdSevSnp: memory is not encrypted'),
      NestedVirtualization: onlySchema(
        'disabled',
        'CpuOptions.NestedVirtualization: only disabled',
      ),
    })
    .optional(),
}

/** Members of `Placement`. */
export const fixedPlacement = {
  Tenancy: onlySchema('default', 'Placement.Tenancy: only default is supported'),
  Affinity: onlySchema('default', 'Placement.Affinity: only default; no host is dedicated'),
}
