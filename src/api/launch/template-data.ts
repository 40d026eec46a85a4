/**
 * The parameters in a launch template: which there may be, and how a request overrides them. Pure.
 *
 * A version keeps them as the client gave them, so they are parsed once more with each launch, by
 * the version of Atoll that launches.
 */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { type LaunchTemplateData, TEMPLATE_DATA_MAX_BYTES } from '../../model/launch-template.ts'
import { launchShape, withoutEmptyStructures } from './request.ts'

/**
 * `LaunchTemplateData`: parameters of RunInstances, except those that EC2's templates do not have.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RequestLaunchTemplateData.html
 */
export const templateDataSchema = z.preprocess(
  withoutEmptyStructures,
  z
    .strictObject(launchShape)
    .omit({
      AdditionalInfo: true,
      ClientToken: true,
      EnablePrimaryIpv6: true,
      Ipv6AddressCount: true,
      Ipv6Addresses: true,
      LaunchTemplate: true,
      MaxCount: true,
      MinCount: true,
      PrivateIpAddress: true,
      SubnetId: true,
    })
    .partial(),
)

/** Errors: `InvalidParameterValue` for more than a version can keep. */
export function refuseLargeData(data: LaunchTemplateData): void {
  if (Buffer.byteLength(JSON.stringify(data)) <= TEMPLATE_DATA_MAX_BYTES) return
  throw refused(
    'InvalidParameterValue',
    `LaunchTemplateData: more than ${TEMPLATE_DATA_MAX_BYTES} bytes; make the user data or the lists shorter`,
  )
}

/** Parameters of a request, with the names of the SDK. */
type Parameters = Readonly<Record<string, unknown>>

/**
 * The parameters of a launch from a template. Those of the request override the template's: values
 * and lists as a whole, structures by their members, tags by their keys, devices and network
 * interfaces by the device that they name. Security groups of the request replace the template's,
 * whether either names them by id or by name.
 */
export function overridden(data: LaunchTemplateData, asked: Parameters): Parameters {
  const { SecurityGroupIds, SecurityGroups, ...others } = data
  const namesGroups = isGiven(asked['SecurityGroupIds']) || isGiven(asked['SecurityGroups'])
  const below: Parameters = namesGroups ? others : data
  const names = new Set([...Object.keys(below), ...Object.keys(asked)])
  return Object.fromEntries(
    [...names].map((name) => [name, override(name, below[name], asked[name])]),
  )
}

function override(name: string, below: unknown, above: unknown): unknown {
  if (!isGiven(above)) return below
  // A name and an ARN would be two profiles.
  if (name === 'IamInstanceProfile') return above
  if (Array.isArray(above) && Array.isArray(below)) {
    if (name === 'TagSpecifications') return byKey(below, above, 'ResourceType', mergeTags)
    if (name === 'BlockDeviceMappings') return byKey(below, above, 'DeviceName', mergeMembers)
    if (name === 'NetworkInterfaces') return byKey(below, above, 'DeviceIndex', mergeMembers)
    return above
  }
  return mergeMembers(below, above)
}

/** An empty list is what a request without the parameter has. */
function isGiven(value: unknown): boolean {
  return value !== undefined && !(Array.isArray(value) && value.length === 0)
}

/** The items of both lists. Of two with the same key it is what `merge` makes of them. */
function byKey(
  below: readonly unknown[],
  above: readonly unknown[],
  key: string,
  merge: (below: unknown, above: unknown) => unknown,
): readonly unknown[] {
  const items = new Map(below.map((item) => [memberOf(item, key), item]))
  // Two items of the request with the same key are left to be refused.
  const isTwice = new Set(above.map((item) => memberOf(item, key))).size < above.length
  if (isTwice) return above
  for (const item of above) {
    const of = memberOf(item, key)
    items.set(of, items.has(of) ? merge(items.get(of), item) : item)
  }
  return [...items.values()]
}

/** A network interface without an index is the first one. */
function memberOf(item: unknown, key: string): unknown {
  const value = isStructure(item) ? item[key] : undefined
  return key === 'DeviceIndex' ? (value ?? 0) : value
}

function mergeTags(below: unknown, above: unknown): unknown {
  const tagsOf = (item: unknown): readonly unknown[] => {
    const tags = isStructure(item) ? item['Tags'] : undefined
    return Array.isArray(tags) ? tags : []
  }
  const Tags = byKey(tagsOf(below), tagsOf(above), 'Key', (_below, tag) => tag)
  return isStructure(above) ? { ...above, Tags } : above
}

/** Structures by their members. Anything else is replaced. */
function mergeMembers(below: unknown, above: unknown): unknown {
  if (!isStructure(below) || !isStructure(above)) return above
  const names = new Set([...Object.keys(below), ...Object.keys(above)])
  return Object.fromEntries(
    [...names].map((name) => [
      name,
      above[name] === undefined ? below[name] : mergeMembers(below[name], above[name]),
    ]),
  )
}

function isStructure(value: unknown): value is Parameters {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
