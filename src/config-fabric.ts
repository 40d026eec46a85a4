/**
 * Settings of the fabric: where the other hosts reach this one, how, and whether it must be
 * encrypted.
 */
import { z } from 'zod'
import { ipv4Text, port } from './config-values.ts'

/** This host's side of the fabric. */
export const fabric = z
  .strictObject({
    address: ipv4Text
      .nullable()
      .default(null)
      .describe('Address at which the other hosts reach this one; null on a single host'),
    mode: z
      .enum(['direct', 'vxlan'])
      .default('direct')
      .describe('direct: all hosts share a layer-2 segment; vxlan: routers lie between them'),
    vni: z.int().min(1).max(16_777_215).default(4196).describe('VXLAN network identifier'),
    port: port.default(4789).describe('UDP port of VXLAN'),
    encryption: z
      .enum(['none', 'ipsec'])
      .default('none')
      .describe(
        'ipsec: VXLAN packets outside IPsec are dropped, in both directions; an IKE daemon sets IPsec up (docs/security.md)',
      ),
  })
  .superRefine(({ address, mode, encryption }, context) => {
    if (encryption === 'ipsec' && mode !== 'vxlan')
      context.addIssue({
        code: 'custom',
        path: ['encryption'],
        message: 'ipsec needs mode vxlan',
      })
    if (mode === 'vxlan' && address === null)
      context.addIssue({
        code: 'custom',
        path: ['address'],
        message: 'is needed with mode vxlan',
      })
  })
  .prefault({})
