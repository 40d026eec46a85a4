/** What actions on VPCs and subnets have in common. */
import { z } from 'zod'
import { type Cidr, formatCidr, maskedCidr } from '../../model/addr.ts'
import { type ErrorCode, refused, unavailable } from '../../model/errors.ts'
import type { AccountId, SubnetId, VpcId } from '../../model/ids.ts'
import type { Subnet, Vpc } from '../../model/records.ts'
import { EC2_PREFIX_MAX, EC2_PREFIX_MIN, isVpcRange } from '../../model/vpc-range.ts'
import type { ReadTx } from '../../store/store.ts'
import { isAmong, refuseMissing } from '../describe.ts'
import { idSchema, notFound, withCode } from '../schemas.ts'

/** `VpcId`. */
export const vpcIdSchema = idSchema('vpc', 'InvalidVpcID.Malformed')
/** `SubnetId`. */
export const subnetIdSchema = idSchema('subnet', 'InvalidSubnetID.Malformed')

/** A range that a VPC or a subnet may have; `range` is the code for one that is none. */
export function rangeSchema(range: Extract<ErrorCode, 'InvalidVpc.Range' | 'InvalidSubnet.Range'>) {
  return z.string().transform((text, context): Cidr => {
    const cidr = maskedCidr(text)
    if (cidr === undefined)
      context.addIssue({
        code: 'custom',
        message: `Value (${text.slice(0, 64)}) for parameter cidrBlock is invalid. This is not a valid CIDR block.`,
        ...withCode('InvalidParameterValue'),
      })
    else if (cidr.prefix >= EC2_PREFIX_MIN && cidr.prefix <= EC2_PREFIX_MAX && isVpcRange(cidr))
      return cidr
    else
      context.addIssue({
        code: 'custom',
        message: `The CIDR '${formatCidr(cidr)}' is invalid: it must have between /${EC2_PREFIX_MIN} and /${EC2_PREFIX_MAX}, and addresses that hosts may have.`,
        ...withCode(range),
      })
    return z.NEVER
  })
}

/**
 * The account's VPCs, or those with the given ids. Errors: `InvalidVpcID.NotFound` for one that
 * does not exist.
 */
export async function findVpcs(
  tx: ReadTx,
  account: AccountId,
  ids: readonly VpcId[],
): Promise<readonly Vpc[]> {
  const vpcs = await tx.vpcs({ account })
  refuseMissing(ids, new Set(vpcs.map(({ id }) => id)), missingVpcs)
  const isWanted = isAmong(ids)
  return vpcs.filter(({ id }) => isWanted(id))
}

/** One of the account's VPCs. Errors: `InvalidVpcID.NotFound`. */
export async function requireVpc(tx: ReadTx, account: AccountId, id: VpcId): Promise<Vpc> {
  const [vpc] = await findVpcs(tx, account, [id])
  if (vpc === undefined) throw missingVpcs([id])
  return vpc
}

/** One of the account's subnets. Errors: `InvalidSubnetID.NotFound`. */
export async function requireSubnet(tx: ReadTx, account: AccountId, id: SubnetId): Promise<Subnet> {
  const [subnet] = await tx.subnets({ account, ids: [id] })
  if (subnet === undefined) throw notFound('InvalidSubnetID.NotFound', 'subnet ID', [id])
  return subnet
}

function missingVpcs(ids: readonly string[]): Error {
  return notFound('InvalidVpcID.NotFound', 'vpc ID', ids)
}

/**
 * For whoever gives out what no row may have yet: rejects with `unavailable` when this transaction
 * could not read all rows of the table.
 */
export function requireWhole(tx: ReadTx, table: 'vpcs' | 'subnets'): void {
  if (tx.unreadable().some((row) => row.table === table)) refuseUnread(table)
}

/** `unavailable`: what is free is not known. */
export function refuseUnread(table: 'vpcs' | 'subnets' | 'addresses'): never {
  throw unavailable(
    `A row of the table "${table}" cannot be read, so what is free is not known; \`atoll status\` names it`,
  )
}

/** `DependencyViolation`. */
export function dependencies(noun: 'vpc' | 'subnet' | 'dhcpOptions', id: string): Error {
  return refused(
    'DependencyViolation',
    `The ${noun} '${id}' has dependencies and cannot be deleted.`,
  )
}
