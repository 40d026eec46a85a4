/**
 * An attacker on the fabric tries to join the shared engines. A member of Galera has every record,
 * and a member of the broker can wake every host.
 *
 * Before: Galera accepted any MariaDB node at port 4567 as a member and sent it all records
 * unencrypted; MariaDB and RabbitMQ answered everyone, with passwords that are the cluster's
 * secret, sent unencrypted at each AMQP connection; and an Erlang node with the cookie, which is
 * made from that secret, had all rights of the broker.
 *
 * First the firewall drops the attacker's packets. Then it has an address that is let in (the set
 * `members` of the hosts' tables), and only certificates keep it out.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { initializeData, makeTestDirectory } from '../../tools/kit/mariadb.ts'
import { createNetns, eventually, type Netns } from '../../tools/kit/netns.ts'
import { galeraState, rabbitNodes } from '../../tools/lab/engines.ts'
import type { LabHost } from '../../tools/lab/host.ts'
import { createLab, destroyLab, type Lab } from '../../tools/lab/lab.ts'
import { FABRIC_BRIDGE } from '../../tools/lab/network.ts'
import { untilReady } from '../../tools/lab/ready.ts'
import { must } from '../../tools/lab/run.ts'
import { type Certificate, makeAuthority, makeCertificate } from '../kit/certificates.ts'

const NAME = 'attack'
const UP_MS = 400_000
const STRANGER = '10.0.0.99'
const TARGET = '10.0.0.1'
const PORTS = [3306, 4369, 4444, 4567, 4568, 4569, 5671, 5672, 15_672, 25_672]
const ERLANG = ['erl', '-boot', 'no_dot_erlang', '-noinput', '-hidden', '-name', `x@${STRANGER}`]

const held: { directory?: string; stranger?: Netns; other?: Certificate; stolen?: Certificate } = {}
let lab: Lab

beforeAll(async () => {
  await destroyLab(NAME)
  held.directory = await mkdtemp(join(tmpdir(), 'atoll-stranger-'))
  // The fourth has no engines, and has to reach those of the others.
  lab = await createLab({ name: NAME, hosts: 4 })
  await untilReady(lab)
  held.stranger = await plugIn(lab)
  const authority = await makeAuthority(held.directory, 'another')
  held.other = await makeCertificate(held.directory, authority, 'other', STRANGER)
  await must(['cp', authority.cert, join(held.directory, 'ca.pem')])
  const take = async (file: string, to: string) => {
    const text = await lab.host('h4').must(['cat', `/etc/atoll/tls/${file}`])
    await must(['sh', '-c', 'umask 022; cat >"$0"', join(directory(), to)], { stdin: text })
  }
  await take('host.crt', 'stolen.pem')
  await take('host.key', 'stolen.key')
  await take('ca.crt', 'cluster.pem')
  held.stolen = { cert: join(directory(), 'stolen.pem'), key: join(directory(), 'stolen.key') }
  await must(['chmod', '-R', 'a+rX', directory()])
}, UP_MS)
afterAll(async () => {
  await held.stranger?.destroy()
  await destroyLab(NAME)
  if (held.directory !== undefined) await rm(held.directory, { recursive: true, force: true })
}, 60_000)

function directory(): string {
  if (held.directory === undefined) throw new Error('there is no directory yet')
  return held.directory
}

function stranger(): Netns {
  if (held.stranger === undefined) throw new Error('there is no stranger yet')
  return held.stranger
}

/** A machine that is nobody's, on the hosts' own network. */
async function plugIn({ layout }: Lab): Promise<Netns> {
  const netns = await createNetns('stranger')
  const ends = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', String(netns.pid)]
  await must(['ip', '-n', layout.fabricNetns, 'link', 'add', 'stranger', ...ends])
  const up = ['master', FABRIC_BRIDGE, 'up']
  await must(['ip', '-n', layout.fabricNetns, 'link', 'set', 'stranger', ...up])
  await netns.must(['ip', 'address', 'add', `${STRANGER}/24`, 'dev', 'eth0'])
  await netns.must(['ip', 'link', 'set', 'eth0', 'up'])
  return netns
}

/** What becomes of a connection: `open`, `refused`, or `silence`. */
async function connectionState(port: number): Promise<string> {
  const script = `exec 3<>/dev/tcp/${TARGET}/${port}`
  const { exitCode, stderr } = await stranger().run(['timeout', '2', 'bash', '-c', script])
  return exitCode === 0 ? 'open' : /refused/.test(stderr) ? 'refused' : 'silence'
}

async function eachEngineHost(work: (host: LabHost) => Promise<unknown>): Promise<void> {
  for (const host of lab.hosts) if (host.hasEngines) await work(host)
}

/** Runs a program of the stranger's; all that it says. */
async function attempt(...argv: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await stranger().run(argv, { timeoutMs: 60_000 })
  return `${stdout}${stderr}\nexit ${exitCode}`
}

/** What the daemons say to the engines: the stranger knows it all. */
async function password(purpose: string): Promise<string> {
  return (await lab.host('h1').must(['cat', `/etc/${purpose}/atoll.password`])).trim()
}

async function sql(...options: readonly string[]): Promise<string> {
  const who = ['-h', TARGET, '-u', 'atoll', `-p${await password('mysql')}`, '--connect-timeout=5']
  return attempt('mariadb', '--no-defaults', ...who, ...options, '-e', 'select 1 as reached')
}

function clientFiles({ cert, key }: Certificate): readonly string[] {
  return ['-cert', cert, '-key', key]
}

/** The last words of a TLS handshake and of what the server says to a first line. */
async function handshake(port: number, files: readonly string[]): Promise<string> {
  const line = `{ printf 'AMQP\\000\\000\\011\\001'; sleep 1; } | timeout 5 openssl s_client -connect ${TARGET}:${port} -quiet "$@" 2>&1`
  return attempt('bash', '-c', `${line} | tr -d '\\000'`, 'x', ...files)
}

describe('a machine that is no host of the cluster', () => {
  it('reaches no port of an engine, and is counted', { timeout: 120_000 }, async () => {
    const answers = await Promise.all(
      PORTS.map(async (port) => [port, await connectionState(port)]),
    )
    expect(answers).toStrictEqual(PORTS.map((port) => [port, 'silence']))
    const table = await lab.host('h1').must(['nft', 'list', 'table', 'inet', 'atoll_engines'])
    const dropped = [...table.matchAll(/counter packets (\d+)/g)].map(([, count]) => Number(count))
    expect(dropped[0]).toBeGreaterThan(0)
    expect(dropped[1]).toBeGreaterThan(0)
  })

  it('hosts without engines do reach them', async () => {
    await lab.host('h4').must(['bash', '-c', `exec 3<>/dev/tcp/${TARGET}/3306`])
    const member = ['timeout', '2', 'bash', '-c', `exec 3<>/dev/tcp/${TARGET}/4567`]
    expect((await lab.host('h4').exec(member)).exitCode).not.toBe(0)
  })

  it('a firewall that is loaded again opens nothing for long', async () => {
    const host = lab.host('h1')
    await host.must(['nft', 'flush', 'ruleset'])
    await eventually('the table is back', async () => {
      const argv = ['nft', 'list', 'chain', 'inet', 'atoll_engines', 'input']
      return (await host.exec(argv)).stdout.includes('drop')
    })
    expect(await connectionState(4567)).toBe('silence')
  })

  it('engines listen on the fabric, and nowhere else', async () => {
    await eachEngineHost(async (host) => {
      const listening = await host.must(['ss', '-Hltn'])
      for (const port of PORTS) {
        const anywhere = new RegExp(`(?:0\\.0\\.0\\.0|\\*|\\[::\\]):${port} `)
        expect(listening).not.toMatch(anywhere)
      }
    })
  })
})

describe('a machine with the address of a member', () => {
  beforeAll(async () => {
    await eachEngineHost(async (host) => {
      for (const set of ['members', 'hosts'])
        await host.must(['nft', 'add', 'element', 'inet', 'atoll_engines', set, `{ ${STRANGER} }`])
    })
    expect(await connectionState(4567)).toBe('open')
  })

  it('is told nothing by MariaDB without a certificate of the cluster', async () => {
    const { other, stolen } = held
    if (other === undefined || stolen === undefined) throw new Error('no certificates')
    const tls = ({ cert, key }: Certificate) => [`--ssl-cert=${cert}`, `--ssl-key=${key}`, '--ssl']
    expect(await sql('--skip-ssl')).toMatch(/require_secure_transport|Access denied/)
    expect(await sql('--ssl')).toContain('Access denied')
    // The server closes as soon as it has seen the certificate: with an alert, or before that is
    // read.
    expect(await sql(...tls(other))).toMatch(/ERROR \d+.*(?:SSL|TLS|denied|Lost connection)/s)
    // The attack is a real one: with a host's certificate and its password it works.
    expect(await sql(...tls(stolen))).toContain('reached')
  })

  it('is told nothing by RabbitMQ, by AMQP in clear or without a certificate', async () => {
    const { other, stolen } = held
    if (other === undefined || stolen === undefined) throw new Error('no certificates')
    expect(await connectionState(5672)).toBe('refused')
    expect(await handshake(5671, [])).not.toContain('RabbitMQ')
    expect(await handshake(5671, clientFiles(other))).not.toContain('RabbitMQ')
    expect(await handshake(5671, clientFiles(stolen))).toContain('RabbitMQ')
  })

  it('becomes no member of Galera, in clear or with a certificate of another CA', async () => {
    const other = held.other
    if (other === undefined) throw new Error('no certificate')
    const tls = `socket.ssl=YES;socket.ssl_cert=${other.cert};socket.ssl_key=${other.key};socket.ssl_ca=${join(directory(), 'ca.pem')};`
    for (const how of ['', tls]) {
      const log = await joinGalera(how)
      expect(log).toMatch(/failed to open gcomm backend connection|connect to gcomm.*failed/i)
      await eachEngineHost(async (host) => {
        expect(await galeraState(host)).toStrictEqual({ size: 3, primary: true, state: 'Synced' })
      })
    }
  }, 120_000)

  it('becomes no node of the broker with the cookie, nor with the certificate of a host without engines', async () => {
    const cookie = (await lab.host('h1').must(['cat', '/var/lib/rabbitmq/.erlang.cookie'])).trim()
    const ask = `io:format("~p~n", [net_adm:ping(list_to_atom("rabbit@h1"))]), halt().`
    const inside = (more: readonly string[]) =>
      attempt(
        ...['unshare', '--mount', 'sh', '-c'],
        `mount -t tmpfs x /mnt; cp /etc/hosts /mnt/hosts; echo "${TARGET} h1" >>/mnt/hosts; mount --bind /mnt/hosts /etc/hosts; exec "$@"`,
        'x',
        ...[...ERLANG, '-setcookie', cookie, ...more, '-eval', ask],
      )
    expect(await inside([])).toContain('pang')
    const stolen = held.stolen
    if (stolen === undefined) throw new Error('no certificate')
    const files = `{cacertfile, "${join(directory(), 'cluster.pem')}"}, {certfile, "${stolen.cert}"}, {keyfile, "${stolen.key}"}, {verify, verify_none}`
    const options = join(directory(), 'nodes.config')
    await must(['sh', '-c', 'cat >"$0"', options], {
      stdin: `[{server, [${files}]}, {client, [${files}]}].\n`,
    })
    const tls = ['-proto_dist', 'inet_tls', '-ssl_dist_optfile', options]
    expect(await inside(tls)).toContain('pang')
    expect(await rabbitNodes(lab.host('h1'))).toStrictEqual(['h1', 'h2', 'h3'])
  }, 60_000)
})

/**
 * Starts a MariaDB server of the stranger's that wants to be a node of the cluster, until it gives
 * up; its log.
 */
async function joinGalera(providerOptions: string): Promise<string> {
  const home = await makeTestDirectory('atoll-rogue-')
  try {
    await initializeData(home)
    const options = [
      ...['--no-defaults', `--datadir=${home}/data`, `--tmpdir=${home}/tmp`, `--socket=${home}/s`],
      ...['--user=mysql', '--skip-networking', '--binlog-format=ROW', '--wsrep-on=ON'],
      '--innodb-autoinc-lock-mode=2',
      '--wsrep-provider=/usr/lib/galera/libgalera_smm.so',
      `--wsrep-provider-options=${providerOptions}pc.wait_prim_timeout=PT4S`,
      ...['--wsrep-cluster-name=atoll', `--wsrep-cluster-address=gcomm://${TARGET}`],
      ...[`--wsrep-node-address=${STRANGER}`, '--wsrep-sst-method=rsync'],
    ]
    return await attempt('timeout', '20', 'mariadbd', ...options)
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}

describe('a listener on the network', () => {
  it('finds no secret, no password and no record in it', { timeout: 240_000 }, async () => {
    const file = join(directory(), 'wire.pcap')
    const { fabricNetns } = lab.layout
    const capture = ['tcpdump', '-i', FABRIC_BRIDGE, '-w', file, '-U', '-s', '0', 'tcp']
    const argv = [
      '--pdeathsig',
      'KILL',
      'ip',
      'netns',
      'exec',
      fabricNetns,
      ...capture,
      '-Z',
      'root',
    ]
    const tap = spawn('setpriv', argv, { stdio: ['ignore', 'ignore', 'pipe'] })
    await once(tap.stderr, 'data')
    const marker = 'a-name-that-nobody-else-has'
    const create = `eval "$(atoll env)" && aws --endpoint-url "$AWS_ENDPOINT_URL" ec2 create-key-pair --key-name ${marker}`
    await lab.host('h1').must(['sh', '-c', create], { timeoutMs: 60_000 })
    // A node that has to be sent everything, and a daemon and a broker that connect again.
    const h3 = lab.host('h3')
    await h3.service('mariadb').stop()
    await h3.must(['sh', '-c', 'rm -f /var/lib/mysql/grastate.dat /var/lib/mysql/gvwstate.dat'])
    await h3.service('mariadb').start()
    await h3.service('rabbitmq').crash()
    await lab.host('h4').service('atolld').crash()
    await untilReady(lab)
    tap.kill('SIGINT')
    await once(tap, 'exit')
    const wire = await readFile(file)
    expect(wire.length).toBeGreaterThan(1_000_000)
    const secret = (await lab.host('h1').must(['cat', '/etc/atoll/secret'])).trim()
    const cookie = (await lab.host('h1').must(['cat', '/var/lib/rabbitmq/.erlang.cookie'])).trim()
    const words = [secret, cookie, await password('mysql'), await password('rabbitmq'), marker]
    for (const word of words) expect(wire.includes(word)).toBe(false)
  })
})
