/**
 * `start`: how long a restarted daemon takes until its DNS answers and until it is up, beside a
 * bare Node server and dnsmasq.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { encode } from 'dns-packet'
import { systemClock } from '../../src/lib/clock.ts'
import { inTime } from '../../src/lib/deadline.ts'
import { endChild } from '../kit/child.ts'
import { createNetns } from '../kit/netns.ts'
import { type Benchmark, type BenchResult, quantile } from './figures.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const ROUNDS = 10
const TARGET_MS = 400
const POLL_MS = 2
const DEADLINE_MS = 60_000
const DNSMASQ = '127.0.0.9'
const ATOLL = '169.254.169.253'
const PEER_PORT = 8099
const SERVER = `require('node:http').createServer((_, response) => response.end('hello')).listen(${PEER_PORT}, '127.0.0.1')`
const QUERY = encode({
  ...{ type: 'query', id: 1, questions: [{ type: 'A', name: 'start.atoll.internal' }] },
})

/** The benchmark `start`. Needs root. */
export const start: Benchmark = {
  name: 'start',
  about: `from exec to the first DNS answer and until the daemon is up, ${ROUNDS} starts of each`,
  run: async (progress) => {
    const directory = await mkdtemp(join(tmpdir(), 'atoll-start-'))
    const netns = await createNetns('start')
    const leave = netns.enter()
    try {
      return await measure(directory, progress)
    } finally {
      leave()
      await netns.destroy()
      await rm(directory, { recursive: true, force: true })
    }
  },
}

/** One start of a daemon, in milliseconds since it was executed. */
interface Start {
  readonly answersMs: number
  readonly upMs: number
  readonly residentMB: number
}

async function measure(directory: string, progress: (line: string) => void): Promise<BenchResult> {
  const config = await configuration(directory)
  const first = await startDaemon(config)
  progress('the first start, which makes the records, is over')
  const [daemon, server, dnsmasq]: [Start[], number[], number[]] = [[], [], []]
  for (let round = 0; round < ROUNDS; round += 1) {
    daemon.push(await startDaemon(config))
    server.push(await startPeer([process.execPath, '-e', SERVER], serverAnswers))
    dnsmasq.push(await startPeer(dnsmasqCommand(), () => dnsAnswers(DNSMASQ)))
  }
  const answers = daemon.map(({ answersMs }) => answersMs)
  const up = daemon.map(({ upMs }) => upMs)
  const row = (name: string, ms: readonly number[]) => [
    name,
    ...[0.5, 0, 1].map((share) => quantile(ms, share).toFixed(0)),
  ]
  return {
    name: 'start',
    head: ['from exec', 'median ms', 'least', 'most'],
    rows: [
      row('`atolld`, restarted: first DNS answer', answers),
      row('`atolld`, restarted: "atolld is up"', up),
      row('a bare `node:http` server: first answer', server),
      row('`dnsmasq`: first answer', dnsmasq),
    ],
    targets: [
      target(`first DNS answer in ${TARGET_MS} ms`, quantile(answers, 0.5)),
      target(`up in ${TARGET_MS} ms`, quantile(up, 0.5)),
    ],
    notes: [
      `The very first start of a host took ${first.answersMs.toFixed(0)} ms to the first answer: it makes keys, a certificate and the records.`,
      `Resident memory of the daemon when it was up: ${quantile(
        daemon.map(({ residentMB }) => residentMB),
        0.5,
      ).toFixed(1)} MB (median).`,
    ],
    raw: { answers, up, server, dnsmasq },
  }
}

function target(text: string, ms: number) {
  return { text, measured: `${ms.toFixed(0)} ms`, met: ms < TARGET_MS }
}

async function configuration(directory: string): Promise<string> {
  const file = join(directory, 'atoll.yaml')
  await mkdir(join(directory, 'state'), { mode: 0o700 })
  await writeFile(
    file,
    `stateDir: ${directory}/state\nruntimeDir: ${directory}/run\ntls: {directory: ${directory}/tls}\ndocker: {socket: ${directory}/docker.sock}\nhost: {name: start}\n`,
  )
  return file
}

/** Starts the daemon, waits until it answers and is up, and ends it. */
async function startDaemon(config: string): Promise<Start> {
  const began = performance.now()
  const child = spawn(join(ROOT, 'bin/atolld'), ['--config', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const log: string[] = []
  const upMs = new Promise<number>((done) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log.push(text)
      if (text.includes('atolld is up')) done(performance.now() - began)
    })
  })
  try {
    const answersMs = (await untilTrue(() => dnsAnswers(ATOLL))) - began
    const up = await inTime(systemClock, DEADLINE_MS, upMs)
    if (up === null) throw new Error(`atolld did not start: ${log.join('')}`)
    return { answersMs, upMs: up, residentMB: await resident(child) }
  } finally {
    await endChild(child, 'SIGTERM')
  }
}

async function startPeer(
  [file = '', ...argv]: readonly string[],
  answers: () => Promise<boolean>,
): Promise<number> {
  const began = performance.now()
  const child = spawn(file, argv, { stdio: 'ignore' })
  try {
    return (await untilTrue(answers)) - began
  } finally {
    await endChild(child, 'SIGTERM')
  }
}

function dnsmasqCommand(): readonly string[] {
  const options = ['--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts']
  return ['dnsmasq', ...options, `--listen-address=${DNSMASQ}`, '--bind-interfaces', '--user=root']
}

/** The time when it was true for the first time. */
async function untilTrue(holds: () => Promise<boolean>): Promise<number> {
  const began = performance.now()
  while (!(await holds())) {
    if (performance.now() - began > DEADLINE_MS) throw new Error('nothing answers')
    await delay(POLL_MS)
  }
  return performance.now()
}

/** Whether a DNS server answers at all. */
async function dnsAnswers(address: string): Promise<boolean> {
  const socket = createSocket('udp4')
  try {
    const answered = Promise.withResolvers<boolean>()
    socket.once('message', () => answered.resolve(true))
    socket.on('error', () => answered.resolve(false))
    // Its listener is also called with an error.
    socket.connect(53, address, (...failed: unknown[]) => {
      if (failed.length === 0) socket.send(QUERY)
      else answered.resolve(false)
    })
    return (await inTime(systemClock, POLL_MS * 10, answered.promise)) ?? false
  } finally {
    socket.close()
  }
}

function serverAnswers(): Promise<boolean> {
  return new Promise((done) => {
    get({ host: '127.0.0.1', port: PEER_PORT, agent: false }, (response) => {
      response.resume().once('end', () => done(true))
    }).once('error', () => done(false))
  })
}

async function resident(child: ChildProcess): Promise<number> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8')
  return (Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024) / 1e6
}
