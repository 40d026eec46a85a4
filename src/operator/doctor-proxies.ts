/**
 * Check of `atoll doctor`: proxies. The Docker Engine fetches `docker://` images through its own
 * proxies. atolld fetches all other images through those of its settings and environment. Changes
 * nothing.
 */
import { readFile } from 'node:fs/promises'
import Docker from 'dockerode'
import { z } from 'zod'
import type { Config, Environment } from '../config.ts'
import { below } from '../lib/paths.ts'
import { chooseProxies, type NamedProxies, namedProxies } from '../model/proxies.ts'
import { type CheckResult, ok, warn } from './doctor-check.ts'

const TIMEOUT_MS = 5_000
/** Members of the Docker Engine's `GET /info`. Engines before 1.7 lack them. */
const infoSchema = z.object({
  HttpProxy: z.string().default(''),
  HttpsProxy: z.string().default(''),
  NoProxy: z.string().default(''),
})

/** Whether atolld and the engine use the proxies that the settings or the environment name. */
export async function checkProxies(config: Config, { proxies }: Environment): Promise<CheckResult> {
  const daemon = await proxiesOfDaemon(config.runtimeDir)
  const docker = new Docker({ socketPath: config.docker.socket, timeout: TIMEOUT_MS })
  const info = await docker.info().catch(() => null)
  if (info === null) return ok('not known: no Docker Engine answers')
  const { HttpProxy, HttpsProxy, NoProxy } = infoSchema.parse(info)
  const engine = { http: HttpProxy, https: HttpsProxy, except: NoProxy }
  return judgeProxies({ choice: config.images.proxy, shell: proxies, daemon, engine })
}

/** The proxies in the environment of the daemon that runs here; null when none does. */
async function proxiesOfDaemon(runtimeDir: string): Promise<NamedProxies | null> {
  const pid = Number(await readFile(below(runtimeDir, 'atolld.pid'), 'utf8').catch(() => ''))
  if (!Number.isInteger(pid) || pid < 1) return null
  const text = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => null)
  if (text === null) return null
  const pairs = text.split('\0').map((line): [string, string] => {
    const at = line.indexOf('=')
    return [line.slice(0, at), line.slice(at + 1)]
  })
  return namedProxies(Object.fromEntries(pairs))
}

/**
 * Which of them does not use a configured proxy. Pure. Empty values of the engine mean no proxy.
 */
export function judgeProxies(found: {
  readonly choice: string
  /** The proxies in the shell that runs the doctor. */
  readonly shell: NamedProxies
  readonly daemon: NamedProxies | null
  readonly engine: Readonly<Record<keyof NamedProxies, string>>
}): CheckResult {
  const { choice, shell, daemon, engine } = found
  const ofShell = chooseProxies(choice, shell)
  const ofDaemon = chooseProxies(choice, daemon ?? shell)
  const source = (['http', 'https'] as const).map((scheme) => {
    const url = ofDaemon[scheme] ?? ofShell[scheme]
    return { scheme, url, daemonLacks: ofDaemon[scheme] === null && url !== null }
  })
  const named = source.filter(({ url }) => url !== null)
  if (named.length === 0) return ok('none')
  const where = choice === 'environment' ? 'the environment' : 'images.proxy'
  const past = named.filter(({ scheme }) => engine[scheme] === '')
  if (past.length > 0) {
    const what = past.map(({ scheme }) => `${scheme.toUpperCase()}_PROXY`).join(' and ')
    return warn(
      `${where} names a proxy, but dockerd has no ${what}: it fetches docker:// images without the proxy`,
      'run scripts/install with HTTP_PROXY, HTTPS_PROXY and NO_PROXY set (it gives them to docker.service by /etc/atoll/proxy.env), or put them into /etc/systemd/system/docker.service.d/http-proxy.conf; then: systemctl restart docker',
    )
  }
  const exceptions = (daemon ?? shell).except ?? ''
  if (exceptions !== '' && engine.except === '')
    return warn(
      `NO_PROXY is ${exceptions} here, but dockerd has none: it uses the proxy for those registries, too`,
      'give dockerd the NO_PROXY of /etc/atoll/proxy.env; then: systemctl restart docker',
    )
  if (named.some(({ daemonLacks }) => daemonLacks))
    return warn(
      'this shell has a proxy, but atolld was started without one: it fetches http(s):// images without the proxy',
      'set images.proxy, or run scripts/install with HTTP_PROXY, HTTPS_PROXY and NO_PROXY set; then: systemctl restart atolld',
    )
  return ok(
    `the engine uses ${[...new Set([engine.http, engine.https])].filter(Boolean).join(', ')}`,
  )
}
