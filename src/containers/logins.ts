/**
 * The credentials that `docker login` has stored on this host, for the engine's pulls. They are
 * read for each pull, so that a new login counts at once.
 *
 * The file and its credential helpers belong to the operator
 * (https://docs.docker.com/reference/cli/docker/login/, "Credential stores"). Credentials are
 * passed to the engine and to nobody else. No message or log contains them.
 */
import { readFile, stat } from 'node:fs/promises'
import { z } from 'zod'
import { hasCode } from '../lib/errno.ts'
import { parseJson } from '../lib/json.ts'
import type { Log } from '../lib/log.ts'
import type { Runner } from '../lib/runner.ts'
import { MIB } from '../model/sizes.ts'

/** As the engine accepts it in `X-Registry-Auth` (Docker Engine API, "Authentication"). */
export interface Login {
  readonly username?: string
  readonly password?: string
  readonly identitytoken?: string
  readonly registrytoken?: string
  readonly serveraddress: string
}

interface LoginTools {
  /** Docker's `config.json`. Null: there are no credentials. */
  readonly file: string | null
  readonly run: Runner
  readonly log: Log
}

const FILE_MAX_BYTES = MIB
/** A helper may ask a remote service. */
const HELPER_TIMEOUT_MS = 30_000
const TEXT_MAX = 65_536
/** The name of Docker Hub in that file. */
const DOCKER_HUB = 'docker.io'
const DOCKER_HUB_KEY = 'https://index.docker.io/v1/'
/** The user name that a helper returns with an identity token (docker-credential-helpers). */
const TOKEN_USER = '<token>'

const text = z.string().max(TEXT_MAX)
const entrySchema = z.object({
  auth: text.optional(),
  username: text.optional(),
  password: text.optional(),
  identitytoken: text.optional(),
  registrytoken: text.optional(),
})
/** A helper is a program `docker-credential-<name>`. The name must not be a path. */
const helperName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/)
const configSchema = z.object({
  auths: z.record(z.string(), entrySchema).default({}),
  credHelpers: z.record(z.string(), helperName).default({}),
  credsStore: helperName.or(z.literal('')).default(''),
})
const helperSchema = z.object({ Username: text, Secret: text })

/**
 * The login for a registry, as `splitReference` names it. Null when there is none, or when it is
 * unreadable, which is logged.
 */
export async function loginFor(registry: string, tools: LoginTools): Promise<Login | null> {
  const config = await readConfig(tools)
  if (config === null) return null
  const { auths, credHelpers, credsStore } = config
  const key = Object.keys(auths).find((one) => hostOf(one) === hostOf(registry))
  const serveraddress = key ?? (registry === DOCKER_HUB ? DOCKER_HUB_KEY : registry)
  const chosen = Object.keys(credHelpers).find((one) => hostOf(one) === hostOf(registry))
  const helper = chosen === undefined ? credsStore : credHelpers[chosen]
  if (helper !== undefined && helper !== '') {
    const login = await askHelper(helper, chosen ?? serveraddress, tools)
    if (login !== null || chosen !== undefined) return login
  }
  return key === undefined ? null : loginIn(auths[key] ?? {}, serveraddress)
}

async function readConfig({ file, log }: LoginTools): Promise<z.infer<typeof configSchema> | null> {
  if (file === null) return null
  try {
    const { size } = await stat(file)
    if (size > FILE_MAX_BYTES) throw new Error(`it has more than ${FILE_MAX_BYTES} bytes`)
    return configSchema.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (error) {
    const isAbsent = hasCode(error, 'ENOENT')
    // The parser's message may contain parts of the file.
    const why = error instanceof SyntaxError ? 'it is not JSON' : error
    if (!isAbsent) log.warn({ file, why }, 'logins for registries cannot be read')
    return null
  }
}

/**
 * Keys are registries, as names or as URLs with a path (moby: registry/auth.go, ConvertToHostname).
 */
function hostOf(key: string): string {
  const host = key.replace(/^https?:\/\//, '').split('/')[0] ?? ''
  return ['index.docker.io', 'registry-1.docker.io'].includes(host)
    ? DOCKER_HUB
    : host.toLowerCase()
}

function loginIn(entry: z.infer<typeof entrySchema>, serveraddress: string): Login | null {
  const { auth = '', identitytoken, registrytoken, ...given } = entry
  if (identitytoken !== undefined && identitytoken !== '') return { identitytoken, serveraddress }
  if (registrytoken !== undefined && registrytoken !== '') return { registrytoken, serveraddress }
  const decoded = Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '')
  const colon = decoded.indexOf(':')
  const username = colon === -1 ? given.username : decoded.slice(0, colon)
  const password = colon === -1 ? given.password : decoded.slice(colon + 1)
  if (username === undefined || password === undefined) return null
  return { username, password, serveraddress }
}

/**
 * https://github.com/docker/docker-credential-helpers, "get": the server on stdin, the login as
 * JSON on stdout.
 */
async function askHelper(
  helper: string,
  server: string,
  { run, log }: LoginTools,
): Promise<Login | null> {
  const program = `docker-credential-${helper}`
  try {
    const asked = { stdin: server, timeoutMs: HELPER_TIMEOUT_MS, outputLimitBytes: TEXT_MAX }
    const { exitCode, stdout } = await run(program, ['get'], asked)
    const found = exitCode === 0 ? helperSchema.safeParse(parseJson(stdout)).data : undefined
    if (found === undefined) {
      log.info({ program, server, exitCode }, 'a credential helper has no login')
      return null
    }
    const { Username: username, Secret: password } = found
    return username === TOKEN_USER
      ? { identitytoken: password, serveraddress: server }
      : { username, password, serveraddress: server }
  } catch (error) {
    log.warn({ program, error }, 'a credential helper cannot be started')
    return null
  }
}
