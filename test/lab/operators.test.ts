/**
 * Operators' own networks, web servers and VPNs on the machine that becomes a host. A daemon that
 * would do harm says so before it changes anything; `/healthz` reports what comes later.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { z } from 'zod'
import { startDocker } from '../../tools/kit/docker.ts'
import { createNetns, eventually, type Netns } from '../../tools/kit/netns.ts'

const BIN = join(import.meta.dirname, '../../bin')
const DEADLINE_MS = 60_000
/** A daemon looks by itself, too: not the 10 s of the default, which every wait here would take. */
const LOOK_EVERY_SECONDS = 1
let home: string
let netns: Netns
let daemon: ChildProcess
let said = ''

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'atoll-operators-'))
  netns = await createNetns('operators')
  configure(join(home, 'no-docker'))
})
afterEach(async () => {
  daemon?.kill('SIGKILL')
  await netns.destroy()
  rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
})

function configure(socket: string, more: object = {}): void {
  writeFileSync(
    join(home, 'atoll.yaml'),
    JSON.stringify({
      stateDir: join(home, 'state'),
      runtimeDir: join(home, 'run'),
      tls: { directory: join(home, 'tls') },
      docker: { socket },
      // Of some of what comes later nothing notifies.
      agent: { intervalSeconds: LOOK_EVERY_SECONDS },
      ...more,
    }),
  )
}

function start(): void {
  said = ''
  const argv = [
    '--net',
    `--target=${netns.pid}`,
    '--',
    join(BIN, 'atolld'),
    '--config',
    join(home, 'atoll.yaml'),
  ]
  daemon = spawn('nsenter', argv, { stdio: ['ignore', 'pipe', 'pipe'] })
  for (const stream of [daemon.stdout, daemon.stderr])
    stream?.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
}

const sh = (script: string) => netns.must(['sh', '-ec', script])

async function refuses(reason: RegExp): Promise<void> {
  start()
  await eventually('it has ended', () => daemon.exitCode !== null, DEADLINE_MS)
  expect(daemon.exitCode).toBe(1)
  expect(said).toMatch(reason)
  expect(await sh('ip -o link; ip route; nft list tables')).not.toMatch(
    /at-gw|172\.31\.0\.0.*167|table inet atoll/,
  )
}

const healthSchema = z.object({
  conditions: z.array(z.object({ name: z.string(), ok: z.boolean(), value: z.string() })),
})

async function condition(which: string) {
  const { stdout } = await netns.run(['curl', '-s', 'http://127.0.0.1:9773/healthz'])
  const health = healthSchema.safeParse(JSON.parse(stdout === '' ? 'null' : stdout)).data
  return health?.conditions.find(({ name }) => name === which)
}

const doctor = async (check: string) => {
  const { stdout } = await netns.run(
    [join(BIN, 'atoll'), '--config', join(home, 'atoll.yaml'), 'doctor', '--json'],
    { timeoutMs: DEADLINE_MS },
  )
  const checks = z
    .array(z.object({ name: z.string(), result: z.string(), found: z.string() }))
    .parse(JSON.parse(stdout))
  return checks.find(({ name }) => name === check)
}

it('a host whose own network is that of the VPC: refused with the setting, and the doctor says so before', async () => {
  await sh(
    'ip link add eth9 type veth peer name eth8; ip addr add 172.31.5.1/20 dev eth9; ip link set eth9 up; ip link set eth8 up; ip route add default via 172.31.0.1',
  )
  expect(await doctor('network')).toMatchObject({
    result: 'fail',
    found: expect.stringMatching(/eth9 has 172\.31\.5\.1\/20/),
  })
  await refuses(/router of this host, 172\.31\.0\.1.*eth9 has 172\.31\.5\.1\/20.*network\.vpc/s)
}, 120_000)

it.each(['0.0.0.0', '::'])(
  'a web server at all addresses (%s) would answer as metadata: refused by its name',
  async (address) => {
    const serve = `require('node:http').createServer().listen(80, '${address}')`
    netns.spawn([process.execPath, '-e', serve])
    await eventually(
      'it listens',
      async () => (await sh('ss -H -ltn')).includes(':80'),
      DEADLINE_MS,
    )
    expect(await doctor('service ports')).toMatchObject({
      result: 'fail',
      found: expect.stringMatching(/TCP 80/),
    })
    await refuses(/\(process \d+\) has TCP port 80 at /)
  },
  120_000,
)

it('a VPN that goes up later is named by healthz while it is there', async () => {
  start()
  await eventually(
    'it is healthy',
    async () => (await condition('network'))?.ok === true,
    DEADLINE_MS,
  )
  await sh(
    'ip link add vpn9 type veth peer name vpn8; ip addr add 172.31.200.1/24 dev vpn9; ip link set vpn9 up; ip link set vpn8 up',
  )
  await eventually(
    'it is named',
    async () => /vpn9 has 172\.31\.200\.1\/24/.test((await condition('network'))?.value ?? ''),
    DEADLINE_MS,
  )
  expect((await condition('network'))?.ok).toBe(false)
  expect(await doctor('health')).toMatchObject({
    result: 'fail',
    found: expect.stringMatching(/vpn9/),
  })
  await sh('ip link del vpn9')
  await eventually(
    'it is healthy again',
    async () => (await condition('network'))?.ok === true,
    DEADLINE_MS,
  )
}, 240_000)

it('rules of others that drop DHCP are named by healthz while they are there, of iptables-legacy too', async () => {
  start()
  const named = async (what: RegExp) => what.test((await condition('other-firewalls'))?.value ?? '')
  const isHealthyDaemon = async () => (await condition('other-firewalls'))?.ok === true
  await eventually('it is healthy', isHealthyDaemon, DEADLINE_MS)
  await sh(
    'nft add table inet mine; nft add chain inet mine in "{ type filter hook input priority 0; }"; nft add rule inet mine in udp dport 67 drop',
  )
  await eventually(
    'it is named',
    () => named(/inet mine in drops DHCP.*nft insert rule/),
    DEADLINE_MS,
  )
  expect((await condition('other-firewalls'))?.ok).toBe(false)
  await sh('nft delete table inet mine; iptables-legacy -A INPUT -p udp --dport 53 -j DROP')
  await eventually(
    'the other is',
    () => named(/iptables-legacy filter INPUT drops DNS/),
    DEADLINE_MS,
  )
  // Of these rules nothing notifies: they are looked at once a minute (the unit suite has that),
  // and whenever others change.
  await sh('iptables-legacy -F; nft add table inet other')
  await eventually('it is healthy again', isHealthyDaemon, DEADLINE_MS)
}, 300_000)

it('another machine with the fabric address is named by healthz and by the doctor', async () => {
  await using made = new AsyncDisposableStack()
  const other = await createNetns('operators-other')
  made.defer(() => other.destroy())
  configure(join(home, 'no-docker'), { fabric: { address: '10.77.0.1' } })
  await sh(
    `ip link add wire type veth peer name wire netns ${other.pid}; ip addr add 10.77.0.1/24 dev wire; ip link set wire up`,
  )
  await other.must(['sh', '-ec', 'ip link set wire up; ip addr add 10.77.0.1/24 dev wire'])
  expect(await doctor('addresses')).toMatchObject({
    result: 'fail',
    found: expect.stringMatching(/another machine \(\S+ on wire\) answers for 10\.77\.0\.1/),
  })
  start()
  const said = async () => (await condition('network'))?.value ?? ''
  await eventually('it is named', async () => /answers for 10\.77/.test(await said()), DEADLINE_MS)
  await other.must(['ip', 'addr', 'flush', 'dev', 'wire'])
  expect(await doctor('addresses')).toMatchObject({ result: 'ok' })
}, 240_000)

it('a dockerd that hangs is named with the time since when; the rest of the host goes on, also of a daemon that starts then', async () => {
  await using made = new AsyncDisposableStack()
  const engine = await startDocker({ pid: netns.pid })
  made.defer(() => engine.close())
  const pid = Number(readFileSync(join(dirname(engine.socketPath), 'pid'), 'utf8'))
  configure(engine.socketPath)
  process.kill(pid, 'SIGSTOP')
  made.defer(() => void process.kill(pid, 'SIGCONT'))
  start()
  const names = /containers: docker does not answer.*since 20\d\d-/
  await eventually(
    'the engine is named',
    async () => names.test((await condition('services'))?.value ?? ''),
    DEADLINE_MS,
  )
  expect((await condition('agent-passes'))?.ok).toBe(true)
  expect(await sh('ss -H -uln')).toMatch(/172\.31\.0\.2:53/)
  expect(await doctor('health')).toMatchObject({
    result: 'fail',
    found: expect.stringMatching(names),
  })
  process.kill(pid, 'SIGCONT')
  await eventually(
    'it is healthy again',
    async () => (await condition('services'))?.ok === true,
    DEADLINE_MS,
  )
}, 300_000)
