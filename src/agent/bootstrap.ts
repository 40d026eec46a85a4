/**
 * The records that a new cloud needs before anybody can ask for anything: one account with a key, one default VPC with a subnet
 * and its default group. Safe to repeat and to race: whoever comes second finds the records there.
 */
import type { Cidr } from '../model/addr.ts'
import { bug } from '../model/errors.ts'
import { formatId, ID_BYTES, parseAccountId } from '../model/ids.ts'
import type { AccessKey } from '../model/records.ts'
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
  return await store.transaction(async (tx) => {
    const account = FIRST_ACCOUNT
    if (account === undefined) throw bug('the first account id is malformed')
    await tx.insertAccount({ id: account, name: 'default' })
    if ((await tx.vpcs({ account })).length === 0)
      await insertNetwork(tx, account, settings, random)
    const [existing] = await tx.accessKeys(account)
    if (existing !== undefined) return existing
    const key: AccessKey = { ...newSecret(random), account, user: 'admin' }
    await tx.insertAccessKey(key)
    return key
  })
}

async function insertNetwork(
  tx: Tx,
  account: NonNullable<typeof FIRST_ACCOUNT>,
  settings: BootstrapSettings,
  random: (bytes: number) => Uint8Array,
): Promise<void> {
  const vpc = formatId('vpc', random(ID_BYTES))
  await tx.insertVpc({ id: vpc, account, cidr: settings.vpc, isDefault: true })
  await tx.insertSubnet({
    id: formatId('subnet', random(ID_BYTES)),
    vpc,
    account,
    cidr: settings.subnet,
    zone: settings.zone,
    isDefault: true,
  })
  await tx.insertGroup({
    id: formatId('sg', random(ID_BYTES)),
    vpc,
    account,
    name: 'default',
    description: 'default VPC security group',
  })
}

/** A key pair in AWS's shape: AKIA and 16 base-32 characters, and 40 characters of base 64. */
function newSecret(random: (bytes: number) => Uint8Array): {
  readonly id: string
  readonly secret: string
} {
  const letters = Array.from(random(16), (byte) => ACCESS_KEY_ALPHABET.charAt(byte % 32))
  return { id: `AKIA${letters.join('')}`, secret: Buffer.from(random(30)).toString('base64') }
}
