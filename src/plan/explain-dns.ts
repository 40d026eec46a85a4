/** Whether a name resolves for an instance, and why not. Pure. */
import { parseIpv4 } from '../model/addr.ts'
import { nameTagLabel, publicHostAddress } from '../model/hostname.ts'
import { parseId } from '../model/ids.ts'
import { stateSteps } from './explain.ts'
import type { CloudRecords, End, Parsed } from './explain-question.ts'
import { conclude, type Explanation, type Step, step } from './explain-step.ts'
import { peersIn } from './peer-records.ts'
import { sharedWant } from './want.ts'

/** RFC 1035, section 2.3.4. */
const NAME_MAX = 253

/** The name that was asked for: in lower case and without the final dot. */
export function parseName(text: string): Parsed<string> {
  const name = text.toLowerCase().replace(/\.$/, '')
  const isName =
    name.length <= NAME_MAX && name.split('.').every((label) => /^[a-z0-9_-]{1,63}$/.test(label))
  return isName ? { value: name } : { problem: `"${text}" is not a DNS name` }
}

/** What the resolver of the asker's host says to `name`, or to an address for its name. */
export function explainName(
  asker: Extract<End, { kind: 'instance' }>,
  name: string,
  records: CloudRecords,
  zone: string,
): Explanation {
  const subject = `DNS ${name} for ${asker.instance.id}`
  return conclude(subject, [
    ...stateSteps('source', asker, records),
    ...resolverSteps(asker, records),
    ...nameSteps(asker, name, records, zone),
  ])
}

/** Whether the asker's VPC has the resolver of its hosts. Nothing to say when it does. */
function resolverSteps(
  { nic }: Extract<End, { kind: 'instance' }>,
  { vpcs }: CloudRecords,
): readonly Step[] {
  const vpc = vpcs.find(({ id }) => id === nic?.vpc)
  if (vpc?.dnsSupport !== false) return []
  return [
    step(
      'name',
      false,
      `EnableDnsSupport of ${vpc.id} is off: its instances are not answered by the host's resolver.`,
    ),
  ]
}

function nameSteps(
  { instance, nic }: Extract<End, { kind: 'instance' }>,
  name: string,
  records: CloudRecords,
  zone: string,
): readonly Step[] {
  const { names: known, peerings = [] } = sharedWant(instance.host, records)
  const peers = nic === null ? [] : peersIn(peerings, nic.vpc)
  const shown = new Set(peers.flatMap(({ vpc, showsPrivate }) => (showsPrivate ? vpc : [])))
  const own = known.filter(
    (one) =>
      one.vpc === nic?.vpc ||
      (one.vpc !== undefined && shown.has(one.vpc) && publicHostAddress(one.name) !== undefined),
  )
  const address = parseIpv4(name)
  if (address !== undefined) {
    const found = own.find(({ ip, primary }) => ip === address && primary)
    return [
      found === undefined
        ? step('name', false, `No instance of its VPC has ${address}.`)
        : step('name', true, `Its name is ${found.name}.${zone}.`),
    ]
  }
  const isShort = !name.includes('.')
  const label = isShort ? name : name.slice(0, -zone.length - 1)
  if (name === zone) return [step('name', false, `${zone} is the zone itself: it has no address.`)]
  if (!(isShort || name.endsWith(`.${zone}`)))
    return [
      step(
        'name',
        true,
        `It is not in the zone ${zone}: the host asks its own resolvers, and gives their answer.`,
      ),
    ]
  const found = own.filter((one) => one.name === label)
  if (found.length > 0) {
    const addresses = found.map(({ ip }) => ip).join(', ')
    return [step('name', true, `${label}.${zone} is ${addresses}.`)]
  }
  const publicIp = publicHostAddress(label)
  if (publicIp !== undefined)
    return [step('name', true, `${label}.${zone} is ${publicIp}: it leads to nobody in its VPC.`)]
  const elsewhere = known.find((one) => one.name === label)
  if (elsewhere !== undefined)
    return [
      step(
        'name',
        false,
        `${label} is ${elsewhere.ip} in ${elsewhere.vpc}, and the asker is in ${nic?.vpc}: names are not known outside their VPC.`,
      ),
    ]
  return [step('name', false, missingName(label, zone, records))]
}

/** Why nobody has the name. */
function missingName(label: string, zone: string, { instances, nameTags }: CloudRecords): string {
  const id = parseId('i', label)
  const named = instances.filter((one) =>
    id === undefined ? nameTagLabel(nameTags.get(one.id)) === label : one.id === id,
  )
  const other = named.find(({ state }) => state !== 'terminated') ?? named[0]
  if (other === undefined) return `There is no ${label}.${zone}: no instance has that id or Name.`
  if (id !== undefined) return `Instance ${id} is ${other.state}: it has no address.`
  return `There is no ${label}.${zone}: ${other.id} with that Name is ${other.state}, and a Name resolves only while its instance runs.`
}
