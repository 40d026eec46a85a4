/**
 * What `scripts/install` gives the Docker Engine and atolld: prints HTTP_PROXY, HTTPS_PROXY and
 * NO_PROXY, as `images.proxy` of --config FILE and the environment have them, for EnvironmentFile
 * of systemd.exec(5), which a shell reads, too. Prints nothing where there is no proxy.
 */
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { readEnvironment } from '../src/config.ts'
import { loadConfig } from '../src/config-file.ts'
import { chooseProxies } from '../src/model/proxies.ts'

const { values } = parseArgs({ options: { config: { type: 'string', default: '' } } })
const { proxies } = readEnvironment()
const choice = existsSync(values.config)
  ? loadConfig(values.config, { required: true }).images.proxy
  : 'environment'
const { http, https } = chooseProxies(choice, proxies)
if (choice === 'environment') {
  refuse('HTTP_PROXY', proxies.http, http)
  refuse('HTTPS_PROXY', proxies.https, https)
}
if (http !== null || https !== null) {
  const source = choice === 'environment' ? 'the environment of scripts/install' : 'images.proxy'
  process.stdout.write(`# Written by Atoll, from ${source}.\n`)
  for (const [name, value] of Object.entries({
    HTTP_PROXY: http,
    HTTPS_PROXY: https,
    NO_PROXY: proxies.except,
  }))
    if (value !== null && value !== undefined && value !== '') print(name, value)
}

/**
 * Both readers take these four characters for themselves unless there is a backslash before them.
 */
function print(name: string, value: string): void {
  if (/[\p{Cc}]/u.test(value)) throw new Error(`${name} has a control character`)
  process.stdout.write(`${name}="${value.replaceAll(/[\\"`$]/g, '\\$&')}"\n`)
}

function refuse(name: string, said: string | undefined, url: string | null): void {
  if ((said ?? '') === '' || url !== null) return
  process.stderr.write(`${name} is no URL of a proxy: correct it, as http://proxy.example:3128\n`)
  process.exit(1)
}
