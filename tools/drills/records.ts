/** Reads the records directly from MariaDB. */
import { z } from 'zod'
import type { Lab } from '../lab/lab.ts'

const text = z.string()
const instanceSchema = z.object({
  id: text,
  host: text,
  state: text,
  wanted: text,
  claimed: z.boolean(),
  type: text,
  image: text,
})
const nicSchema = z.object({ id: text, instance: text, ip: text, mac: text, vpc: text })
const vpcSchema = z.object({ id: text, network: z.number().nullable() })
const addressSchema = z.object({ ip: text, nic: text.nullable() })
const hostSchema = z.object({
  name: text,
  state: text,
  vcpus: z.number(),
  memoryMiB: z.number(),
  usedVcpus: z.number(),
  usedMemoryMiB: z.number(),
})
const typeSchema = z.object({ name: text, vcpus: z.number(), memoryMiB: z.number() })
const recordsSchema = z.object({
  instances: z.array(instanceSchema),
  nics: z.array(nicSchema),
  vpcs: z.array(vpcSchema),
  addresses: z.array(addressSchema),
  hosts: z.array(hostSchema),
  types: z.array(typeSchema),
})

export type Records = z.output<typeof recordsSchema>

const list = (table: string, fields: readonly string[], where = '') =>
  `(SELECT COALESCE(JSON_ARRAYAGG(JSON_OBJECT(${fields.join(',')})), '[]') FROM ${table} ${where})`
const plain = (...names: readonly string[]) => names.map((name) => `'${name}', \`${name}\``)
const QUERY = `SELECT JSON_OBJECT(
  'instances', JSON_COMPACT(${list('instances', [...plain('id', 'host', 'state', 'wanted', 'type', 'image'), "'claimed', claimed <> 0"], "WHERE state <> 'terminated'")}),
  'nics', JSON_COMPACT(${list('nics', plain('id', 'instance', 'ip', 'mac', 'vpc'))}),
  'vpcs', JSON_COMPACT(${list('vpcs', plain('id', 'network'))}),
  'addresses', JSON_COMPACT(${list('addresses', plain('ip', 'nic'))}),
  'hosts', JSON_COMPACT(${list('hosts', plain('name', 'state', 'vcpus', 'memoryMiB', 'usedVcpus', 'usedMemoryMiB'))}),
  'types', JSON_COMPACT(${list('instanceTypes', plain('name', 'vcpus', 'memoryMiB'))}))`

/**
 * All records that a drill needs, from one snapshot of the first database node that answers. Null
 * when none does.
 */
export async function readRecords(lab: Lab): Promise<Records | null> {
  for (const host of lab.hosts.filter((one) => one.hasEngines && !one.isCut())) {
    const { exitCode, stdout } = await host.exec(
      [
        'mariadb',
        '--no-defaults',
        '--connect-timeout=1',
        '--batch',
        '-N',
        '--raw',
        'atoll',
        '-e',
        `SET SESSION wsrep_sync_wait = 1; ${QUERY}`,
      ],
      { timeoutMs: 3000 },
    )
    if (exitCode === 0) return recordsSchema.parse(JSON.parse(stdout))
  }
  return null
}
