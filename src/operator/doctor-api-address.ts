/**
 * Check of `atoll doctor`: the address of the API that moves among hosts. Changes nothing.
 *
 * keepalived runs where `scripts/install --api-address` has set it up. Where it has not, something
 * else (Pacemaker) moves the address, and only what answers there is looked at.
 */
import { readFile } from 'node:fs/promises'
import { type RequestOptions, request } from 'node:https'
import type { Config } from '../config.ts'
import { statFields } from '../host/processes/stat.ts'
import { certificateFiles } from '../lib/certificates.ts'
import { type CheckResult, fail, ok } from './doctor-check.ts'

/** As in scripts/lib-api-address.sh: the configuration, and the process that VRRP runs in. */
const KEEPALIVED_CONFIG = '/etc/atoll/keepalived.conf'
const VRRP_PID = '/run/atoll-api-address-vrrp.pid'
const ASK_TIMEOUT_MS = 3000
/** Codes of a TLS handshake with somebody else's certificate begin with one of these. */
const STRANGER = /^(?:CERT_|ERR_TLS|ERR_SSL|EPROTO|DEPTH_|SELF_|UNABLE_TO_)/

/** What is known of the address. */
interface Found {
  /** Null: it is not shared. */
  readonly address: string | null
  readonly port: number
  /** Null: keepalived was not set up here. */
  readonly keepalived: {
    readonly config: string
    /** State of its process (proc(5)), or null when there is none. */
    readonly state: string | null
  } | null
  /**
   * Who answers at the address: a host of this cloud, one whose certificate lacks the address,
   * something else, or nobody.
   */
  readonly answer: 'host' | 'unnamed' | 'stranger' | 'nobody'
}

/** Judges what was found. Pure. */
export function judgeSharedAddress({ address, port, keepalived, answer }: Found): CheckResult {
  if (address === null)
    return keepalived === null
      ? ok('not set: clients use addresses of hosts')
      : fail(
          `${KEEPALIVED_CONFIG} is there, but api.sharedAddress is not set, so certificates lack it`,
          'scripts/install --api-address ADDRESS on this host, or --api-address none',
        )
  const again = `scripts/install --api-address ${address} on this host`
  if (keepalived !== null) {
    const { config, state } = keepalived
    if (!config.includes(` ${address}/32 `) || !config.includes(`--port ${port}"`))
      return fail(
        `${KEEPALIVED_CONFIG} is for another address or port than ${address}:${port}`,
        again,
      )
    if (state === null)
      return fail(
        'keepalived does not run here, so this host never takes the address',
        `systemctl start atoll-api-address; if there is no such unit: ${again}`,
      )
    if (state === 'T' || state === 't')
      return fail(
        'keepalived is stopped (SIGSTOP)',
        'kill -CONT it, or: systemctl restart atoll-api-address',
      )
  }
  if (answer === 'unnamed')
    return fail(
      `the host that has ${address} shows a certificate without it`,
      `set api.sharedAddress to ${address} on every host, as scripts/install --api-address does`,
    )
  if (answer === 'stranger')
    return fail(
      `another machine than a host of this cloud answers at ${address}:${port}`,
      `take ${address} away from it (its Ethernet address: ip neighbour show ${address}), or choose another one with --api-address`,
    )
  if (answer === 'nobody')
    return fail(
      `no host answers at ${address}:${port}`,
      'on each host: atoll check --api; systemctl status atoll-api-address. VRRP (IP protocol 112, to 224.0.0.18) must pass between them',
    )
  return ok(`a host of this cloud answers at ${address}:${port}`)
}

/** Whether the address of the API that moves among hosts is where clients reach it. */
export async function checkSharedAddress({ api, tls }: Config): Promise<CheckResult> {
  const { sharedAddress: address, port } = api
  const config = await readFile(KEEPALIVED_CONFIG, 'utf8').catch(() => null)
  const keepalived = config === null ? null : { config, state: await stateOf(VRRP_PID) }
  // A certificate that the operator has given may name no address.
  const isOwn = api.tls.certificateFile === null
  const ca = isOwn ? await readFile(certificateFiles(tls.directory).ca).catch(() => null) : null
  const trust = ca === null ? { rejectUnauthorized: false } : { ca }
  const answer = address === null ? 'nobody' : await whoAnswers({ host: address, port, ...trust })
  return judgeSharedAddress({ address, port, keepalived, answer })
}

/** The state of the process that a file names. Null when there is none. */
async function stateOf(pidFile: string): Promise<string | null> {
  const pid = (await readFile(pidFile, 'utf8').catch(() => '')).trim()
  if (!/^\d+$/.test(pid)) return null
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  return stat?.includes('(keepalived)') === true ? (statFields(stat)[0] ?? null) : null
}

function answerOf(code: string): Found['answer'] {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'unnamed'
  return STRANGER.test(code) ? 'stranger' : 'nobody'
}

function whoAnswers(options: RequestOptions): Promise<Found['answer']> {
  return new Promise((resolve) => {
    const asked = request(
      { ...options, path: '/healthz', timeout: ASK_TIMEOUT_MS, agent: false },
      (answer) => {
        answer.destroy()
        resolve(answer.statusCode === 200 || answer.statusCode === 503 ? 'host' : 'stranger')
      },
    )
    asked.on('timeout', () => asked.destroy())
    asked.on('error', ({ code = '' }: NodeJS.ErrnoException) => resolve(answerOf(code)))
    asked.end()
  })
}
