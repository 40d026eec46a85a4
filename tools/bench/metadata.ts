/**
 * `metadata`: requests a second and their p99 by wrk, with a session token (IMDSv2) and without,
 * against a bare server of Node that is asked the same and answers the same bytes to anybody.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createNetns, type Netns } from '../kit/netns.ts'
import { type Benchmark, type BenchResult, quantile } from './figures.ts'

const SERVER = fileURLToPath(new URL('metadata/server.ts', import.meta.url))
const URL_OF_ID = 'http://127.0.0.1:8080/latest/meta-data/instance-id'
const URL_OF_TOKEN = 'http://127.0.0.1:8080/latest/api/token'
const CONNECTIONS = 16
const ROUNDS = 3
const SECONDS = 2
const RATIO = 0.7

/** The benchmark `metadata`. Needs root. */
export const metadata: Benchmark = {
  name: 'metadata',
  about: 'requests a second and p99 of the metadata service, against a bare server of Node',
  async run(progress) {
    const sites = { ours: await siteOf('ours'), bare: await siteOf('bare') }
    try {
      const token = await sites.ours.netns.must([
        ...['curl', '-sf', '-X', 'PUT', URL_OF_TOKEN],
        ...['-H', 'x-aws-ec2-metadata-token-ttl-seconds: 21600'],
      ])
      const header = ['-H', `x-aws-ec2-metadata-token: ${token}`]
      const rounds: Round[] = []
      // The first round warms up.
      for (let round = 0; round <= ROUNDS; round += 1) {
        progress(`round ${round} of ${ROUNDS}`)
        const measured = {
          'with a token': await measure(sites.ours.netns, header),
          'without a token': await measure(sites.ours.netns, []),
          'bare Node, with a token': await measure(sites.bare.netns, header),
          'bare Node': await measure(sites.bare.netns, []),
        }
        if (round > 0) rounds.push(measured)
      }
      return resultOf(rounds)
    } finally {
      for (const { netns } of Object.values(sites)) await netns.destroy()
    }
  },
}

const KINDS = ['with a token', 'without a token', 'bare Node, with a token', 'bare Node'] as const
type Round = Readonly<Record<(typeof KINDS)[number], Figures>>

interface Figures {
  readonly perSecond: number
  /** In ms. */
  readonly p99: number
}

/** A server in a namespace of its own. */
async function siteOf(
  kind: 'ours' | 'bare',
): Promise<{ readonly netns: Netns; readonly server: ChildProcess }> {
  const netns = await createNetns(kind)
  const inside = ['nsenter', '--net', `--target=${netns.pid}`, '--', process.execPath]
  const server = spawn('setpriv', ['--pdeathsig', 'KILL', ...inside, SERVER, kind], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(server.stdout, 'data')
  return { netns, server }
}

async function measure(netns: Netns, headers: readonly string[]): Promise<Figures> {
  const load = ['-t', '1', '-c', String(CONNECTIONS), '-d', `${SECONDS}s`, '--latency']
  const said = await netns.must(['wrk', ...load, ...headers, URL_OF_ID])
  if (said.includes('Non-2xx')) throw new Error(`refused: ${said}`)
  const [, value, unit] = /99%\s+([\d.]+)(us|ms|s)\b/.exec(said) ?? []
  const scale = unit === 'us' ? 0.001 : unit === 's' ? 1000 : 1
  return {
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(said)?.[1]),
    p99: Number(value) * scale,
  }
}

function resultOf(rounds: readonly Round[]): BenchResult {
  const series = (kind: keyof Round, figure: keyof Figures) =>
    rounds.map((round) => round[kind][figure])
  const median = (kind: keyof Round, figure: keyof Figures) => quantile(series(kind, figure), 0.5)
  // The same request: a header more is work for any server of Node.
  const ratio = (kind: keyof Round) =>
    median(kind, 'perSecond') /
    median(kind.endsWith('with a token') ? 'bare Node, with a token' : 'bare Node', 'perSecond')
  const worse = Math.min(ratio('with a token'), ratio('without a token'))
  return {
    name: 'metadata',
    head: ['', 'requests a second', 'p99', '× bare Node'],
    rows: KINDS.map((kind) => [
      kind,
      median(kind, 'perSecond').toFixed(0),
      `${median(kind, 'p99').toFixed(1)} ms`,
      ratio(kind).toFixed(2),
    ]),
    targets: [
      {
        text: `at least ${RATIO} times the requests of a bare server`,
        measured: worse.toFixed(2),
        met: worse >= RATIO,
      },
    ],
    notes: [
      `medians of ${ROUNDS} alternating rounds of ${SECONDS} s, ${CONNECTIONS} connections; our limit of 250 requests a second and instance is lifted`,
    ],
    raw: Object.fromEntries(
      KINDS.flatMap((kind) =>
        (['perSecond', 'p99'] as const).map((figure) => [
          `${kind}, ${figure}`,
          series(kind, figure),
        ]),
      ),
    ),
  }
}
