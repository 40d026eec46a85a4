/** Who fetches images past the proxy that somebody named. */
import { expect, test } from 'vitest'
import type { NamedProxies } from '../../../src/model/proxies.ts'
import { judgeProxies } from '../../../src/operator/doctor-proxies.ts'

const NONE: NamedProxies = { http: undefined, https: undefined, except: undefined }
const NO_ENGINE = { http: '', https: '', except: '' }
const P = 'http://p:1'
const judge = (changes: Partial<Parameters<typeof judgeProxies>[0]>) => {
  const all = { choice: 'environment', shell: NONE, daemon: NONE, engine: NO_ENGINE, ...changes }
  const { result, found } = judgeProxies(all)
  return `${result}: ${found}`
}

test('nobody names one, or none is wanted', () => {
  expect(judge({})).toBe('ok: none')
  expect(judge({ choice: 'none', shell: { ...NONE, https: P } })).toBe('ok: none')
})

test.each([
  ['the setting', { choice: P }, /images\.proxy.*no HTTP_PROXY and HTTPS_PROXY/],
  ['the daemon', { daemon: { ...NONE, https: P } }, /the environment.*no HTTPS_PROXY/],
  ['the shell', { shell: { ...NONE, https: P } }, /the environment.*no HTTPS_PROXY/],
  ['the shell, and no daemon', { shell: { ...NONE, https: P }, daemon: null }, /no HTTPS_PROXY/],
  ['one scheme', { choice: P, engine: { ...NO_ENGINE, http: P } }, /no HTTPS_PROXY/],
])('the engine has none although it is named by %s', (_who, changes, said) => {
  expect(judge(changes)).toMatch(/^warn/)
  expect(judge(changes)).toMatch(said)
})

test('exceptions that the engine does not know, and a daemon that was started without', () => {
  const https = { ...NONE, https: P }
  const engine = { ...NO_ENGINE, https: P }
  const excepting = { ...https, except: 'mine.example' }
  expect(judge({ daemon: excepting, engine })).toMatch(/^warn: NO_PROXY is mine\.example/)
  expect(judge({ shell: https, engine })).toMatch(/^warn: this shell has a proxy/)
  expect(judge({ shell: https, daemon: null, engine })).toBe(`ok: the engine uses ${P}`)
  expect(judge({ daemon: https, engine })).toBe(`ok: the engine uses ${P}`)
})

test('what an engine has that nobody else named is its own affair', () => {
  expect(judge({ engine: { ...NO_ENGINE, https: P } })).toBe('ok: none')
})
