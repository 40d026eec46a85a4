/**
 * The records that a new cloud needs before anybody can ask for anything: one account with a key, one default VPC with a subnet
 * in each zone and its default group. Safe to repeat and to race: whoever comes second finds the records there.
 */
import { type Cidr, cidrAddress, cidrContains, cidrOverlaps, cidrSize } from '../model/addr.ts'
import { bug } from '../model/errors.ts'
import { type AccountId, formatId, ID_BYTES, parseAccountId } from '../model/ids.ts'
import { NO_PREFERENCE } from '../model/metadata-options.ts'
import type { AccessKey, Subnet } from '../model/records.ts'
import type { Store, Tx } from '../store/store.ts'

const FIRST_ACCOUNT = parseAccountId('000000000001')
const ACCESS_KEY_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

export interface BootstrapSettings {
  readonly vpc: Cidr
  readonly subnet: Cidr
  readonly zone: string
}

/** Makes what is missing and returns the first account's first key. */
export async function bootstrap(
  store: Store,
  settings: BootstrapSettings,
  random: (bytes: number) => Uint8Array,
): Promise<AccessKey> {
  for (;;) {
    const key = await store.transaction(async (tx) => {
      const account = FIRST_ACCOUNT
      if (account === undefined) throw bug('the first account id is malformed')
      await tx.insertAccount({ id: account, name: 'default', metadata: NO_PREFERENCE })
      const made = await makeNetwork(tx, account, settings, random)
      return made === 'exists' ? undefined : await makeKey(tx, account, random)
    })
    // Another host was making the same network, which the next transaction sees.
    if (key !== undefined) return key
  }
}

/**
 * Sees to a default VPC, and in it a default subnet in this zone: of the first zone as the settings say, of another one the next free
 * network of the same size, if there is any. `exists` when another host was faster: look again in another transaction.
 */
async function makeNetwork(
  tx: Tx,
  account: AccountId,
  settings: BootstrapSettings,
  random: (bytes: number) => Uint8Array,
): Promise<'done' | 'exists'> {
  const known = (await tx.vpcs({ account })).find(({ isDefault }) => isDefault)
  const subnets = await tx.subnets({ account })
  // What cannot be read may be what is missed here; a second one would be refused for its network, or be one too many.
  if (tx.unreadable().some(({ table }) => table === 'vpcs' || table === 'subnets')) return 'done'
  const vpc = known ?? {
    id: formatId('vpc', random(ID_BYTES)),
    account,
    cidr: settings.vpc,
    isDefault: true,
  }
  if (known === undefined) {
    if ((await tx.insertVpc(vpc)) === 'exists') return 'exists'
    await tx.insertGroup({
      id: formatId('sg', random(ID_BYTES)),
      vpc: vpc.id,
      account,
      name: 'default',
      description: 'default VPC security group',
    })
  }
  const inside = subnets.filter((subnet) => subnet.vpc === vpc.id)
  const isThere = inside.some(({ zone, isDefault }) => isDefault && zone === settings.zone)
  const cidr = isThere ? undefined : freeNetwork(vpc.cidr, settings.subnet, inside)
  if (cidr !== undefined) {
    const id = formatId('subnet', random(ID_BYTES))
    const { zone } = settings
    const subnet = { id, vpc: vpc.id, account, cidr, zone, isDefault: true }
    if ((await tx.insertSubnet(subnet)) === 'exists') return 'exists'
  }
  return 'done'
}

/** `first`, or else the first network of its size in the VPC that overlaps with none of the subnets. */
function freeNetwork(vpc: Cidr, first: Cidr, subnets: readonly Subnet[]): Cidr | undefined {
  const size = cidrSize(first)
  const isFree = (one: Cidr) =>
    cidrContains(vpc, one.network) &&
    one.prefix >= vpc.prefix &&
    !subnets.some((subnet) => cidrOverlaps(subnet.cidr, one))
  if (isFree(first)) return first
  for (let start = 0; start + size <= cidrSize(vpc); start += size) {
    const one = { network: cidrAddress(vpc, start), prefix: first.prefix }
    if (isFree(one)) return one
  }
  return undefined
}

async function makeKey(
  tx: Tx,
  account: AccountId,
  random: (bytes: number) => Uint8Array,
): Promise<AccessKey> {
  const [existing] = await tx.accessKeys(account)
  if (existing !== undefined) return existing
  const key: AccessKey = { ...newSecret(random), account, user: 'admin' }
  await tx.insertAccessKey(key)
  return key
}

/** A key pair in AWS's shape: AKIA and 16 base-32 characters, and 40 characters of base 64. */
function newSecret(random: (bytes: number) => Uint8Array): {
  readonly id: string
  readonly secret: string
} {
  const letters = Array.from(random(16), (byte) => ACCESS_KEY_ALPHABET.charAt(byte % 32))
  return { id: `AKIA${letters.join('')}`, secret: Buffer.from(random(30)).toString('base64') }
}
