import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import {
  ConfigError,
  loadConfig,
  parseConfig,
  printConfig,
  settingsReference,
} from '../../src/config-file.ts'

function problemsOf(text: string): readonly string[] {
  try {
    parseConfig(text, 'atoll.yaml')
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.message.split('\n')
  }
}

describe('parseConfig', () => {
  it('takes an empty file for all defaults', () => {
    const config = parseConfig('', 'atoll.yaml')
    expect(config.api.port).toBe(8773)
    expect(config.network.vpc).toEqual({ network: '172.31.0.0', prefix: 16 })
    expect(config.dns.zone).toBe('atoll.internal')
  })

  it('reports all problems at once with file, line and key', () => {
    const text =
      'api:\n  prot: 3\n  port: 99999\nnetwork:\n  vpc: 10.0.0.1/8\nhost: {name: Bad_Name}\nfoo: 1\n'
    expect(problemsOf(text)).toEqual([
      expect.stringMatching(/^atoll\.yaml:6: host\.name: must be one DNS label/),
      expect.stringMatching(/^atoll\.yaml:3: api\.port: must be at most 65535/),
      expect.stringMatching(/^atoll\.yaml:2: api\.prot: unknown key \(known here: listen, port/),
      expect.stringMatching(/^atoll\.yaml:5: network\.vpc: must be an IPv4 network/),
      expect.stringMatching(/^atoll\.yaml:7: foo: unknown key/),
    ])
  })

  it.each([
    [
      'a subnet outside its VPC',
      'network: {subnet: 10.0.0.0/24}',
      /^atoll\.yaml:1: network\.subnet: must lie inside network\.vpc/,
    ],
    ['YAML that does not parse', 'api:\n  port: [3\n', /^atoll\.yaml:3: /],
    ['a key given twice', 'api: {}\napi: {}\n', /^atoll\.yaml:2: /],
    ['a list for a section', 'api: [1]', /^atoll\.yaml:1: api: /],
    ['a hundred thousand brackets', '['.repeat(100_000), /^atoll\.yaml:1: is nested too deeply/],
    ['an alias bomb', 'a: &a [1,1]\nb: [*a,*a]', /./],
  ])('refuses %s', (_name, text, expected) => {
    expect(problemsOf(text)[0]).toMatch(expected)
  })

  it('never throws anything but ConfigError', () => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.constantFrom(...'api: \n-[]{}&*!|>"\'%@`#,?\t0x'.split('')),
          maxLength: 60,
        }),
        (text) => {
          problemsOf(text)
        },
      ),
    )
  })
})

describe('loadConfig', () => {
  const directory = mkdtempSync(join(tmpdir(), 'atoll-config-'))
  afterAll(() => rmSync(directory, { recursive: true }))
  const at = (name: string) => join(directory, name)

  it.each<[string, string, () => unknown]>([
    ['is missing', 'does not exist: name another one with --config', () => undefined],
    ['is a directory', 'is a directory: name the file in it', () => mkdirSync(at('f'))],
    ['is a pipe', 'is no regular file', () => execFileSync('sh', ['-c', 'mkfifo "$0"', at('f')])],
    ['is a device', 'is no regular file', () => symlinkSync('/dev/zero', at('f'))],
    [
      'is a link to itself',
      'is a symbolic link that leads nowhere',
      () => symlinkSync(at('f'), at('f')),
    ],
    ['is too long', 'has 10485760 bytes', () => writeFileSync(at('f'), ' '.repeat(10_485_760))],
    ['is no text', 'is not text in UTF-8', () => writeFileSync(at('f'), Buffer.of(0xff, 0xfe))],
  ])('a file that %s', (_what, problem, make) => {
    rmSync(at('f'), { recursive: true, force: true })
    make()
    expect(() => loadConfig(at('f'), { required: true })).toThrow(`${at('f')}: ${problem}`)
  })

  it('is all defaults without a file that nobody has named', () => {
    expect(loadConfig(at('none'), { required: false })).toEqual(parseConfig('', 'none'))
  })
})

describe('printConfig', () => {
  it('prints what parses to the same configuration, with every key', () => {
    const config = parseConfig(
      'dns: {forwarders: [192.0.2.1]}\nnetwork: {vpc: 10.0.0.0/16, subnet: 10.0.1.0/24, reach: [192.0.2.0/24], pools: [{name: public, ranges: [203.0.113.0/28, 198.51.100.7], zones: [atoll-1a]}]}',
      'a',
    )
    const printed = printConfig(config)
    expect(parseConfig(printed, 'b')).toEqual(config)
    for (const { key } of settingsReference())
      expect(printed).toContain(`${key.split('.').at(-1)}:`)
  })
})

describe('settingsReference', () => {
  it.each(settingsReference())(
    '$key has a default and one line of description',
    ({ default: value, description }) => {
      expect(value).not.toBe('')
      expect(description).toMatch(/^[^\n]{10,}$/)
    },
  )
})
