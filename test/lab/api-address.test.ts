/**
 * What `scripts/install --api-address` refuses before it changes anything, and what it writes
 * (`scripts/lib-api-address.sh`), on links of the test's own. `api-address-loss.test.ts` has
 * keepalived move the address in a whole cluster.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createNetns, type Netns } from '../../tools/kit/netns.ts'

const ROOT = resolve(import.meta.dirname, '../..')
let netns: Netns
let home: string

/** Runs functions of the script on the test's links. */
async function run(script: string) {
  const lib = `ROOT=${ROOT}; LOG=${home}/log; ETC=${home}; CURRENT=/opt/atoll/current
    . $ROOT/scripts/lib.sh; . $ROOT/scripts/lib-api-address.sh`
  return netns.run(['bash', '-euo', 'pipefail', '-c', `${lib}\n${script}`])
}

beforeAll(async () => {
  netns = await createNetns('address')
  home = await mkdtemp(join(tmpdir(), 'atoll-address-'))
  for (const args of [
    ['link', 'add', 'lan', 'type', 'veth', 'peer', 'name', 'far'],
    ['link', 'add', 'at-svc', 'type', 'bridge'],
    ['address', 'add', '10.0.0.1/24', 'dev', 'lan'],
    ['address', 'add', '10.0.0.7/32', 'dev', 'lan'],
    ['address', 'add', '172.31.0.1/20', 'dev', 'at-svc'],
    ...['lan', 'far', 'at-svc', 'lo'].map((link) => ['link', 'set', link, 'up']),
    ['route', 'add', 'default', 'via', '10.0.0.254'],
  ])
    await netns.run(['ip', ...args])
})
afterAll(async () => {
  await netns.destroy()
  await rm(home, { recursive: true, force: true })
})

it('takes a free address of a network that the host is on, whatever else it is on', async () => {
  const found = await run(
    'check_shared_address 10.0.0.100 100 10.0.0.1,10.0.0.2; link_towards 10.0.0.100',
  )
  expect(found).toMatchObject({ exitCode: 0, stdout: 'lan\n', stderr: '' })
})

it.each([
  ['2001:db8::1', '1', /is IPv6/],
  ['api.example', '1', /is not an IPv4 address/],
  ['10.0.0.999', '1', /no network of this host has/],
  ['10.0.0.2', '2', /is the address of a host/],
  ['10.0.0.7', '7', /this machine has the address/],
  ['192.0.2.1', '1', /no network of this host has/],
  ['172.31.0.9', '9', /belongs to at-svc/],
  ['10.0.0.100', '0', /--vrrp-id 0/],
  ['10.0.0.100', '256', /--vrrp-id 256/],
  ['10.0.0.100', '1;id', /--vrrp-id 1;id/],
])('refuses %s with id %s, and says what to do', async (address, id, why) => {
  const found = await run(`check_shared_address '${address}' '${id}' 10.0.0.1,10.0.0.2`)
  expect(found.exitCode).toBe(1)
  expect(found.stderr).toMatch(why)
  expect(found.stderr).toContain('What to do: ')
})

it('sees its own address again as what it was set up for', async () => {
  await run('vrrp_config 10.0.0.7 lan 8773 77 >"$VRRP_CONFIG"')
  const found = await run('shared_address; vrrp_id; check_shared_address 10.0.0.7 7 10.0.0.1')
  expect(found).toMatchObject({ exitCode: 0, stdout: '10.0.0.7\n77\n' })
  expect(await readFile(join(home, 'keepalived.conf'), 'utf8')).toContain('--answers --port 8773"')
})

it.each([
  ['no section', 'host:\n  name: h1\n', 'host:\n  name: h1\napi:\n  sharedAddress: 10.0.0.9\n'],
  ['a section', 'api:\n  port: 80\n', 'api:\n  sharedAddress: 10.0.0.9\n  port: 80\n'],
  [
    'another address',
    'api: # ours\n  port: 80\n  sharedAddress: 10.0.0.8\n',
    'api: # ours\n  port: 80\n  sharedAddress: 10.0.0.9\n',
  ],
  ['a section in one line', 'api: {port: 80}\n', null],
])('writes the address into settings with %s', async (_, before, after) => {
  const file = join(home, 'atoll.yaml')
  await writeFile(file, before)
  const found = await run(`set_shared_address ${file} 10.0.0.9`)
  expect(found.exitCode).toBe(after === null ? 1 : 0)
  expect(await readFile(file, 'utf8')).toBe(after ?? before)
})
