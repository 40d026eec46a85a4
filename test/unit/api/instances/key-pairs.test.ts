import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KeyPair } from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createKeyPair } from '../../../../src/api/actions/create-key-pair.ts'
import { deleteKeyPair } from '../../../../src/api/actions/delete-key-pair.ts'
import { describeKeyPairs } from '../../../../src/api/actions/describe-key-pairs.ts'
import { importKeyPair } from '../../../../src/api/actions/import-key-pair.ts'
import { ALICE, BOB, everything, openCloud } from '../../../kit/api-cloud.ts'

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'atoll-keys-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

function tool(name: string, ...given: string[]): string {
  return execFileSync(name, given, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
}

function file(content: string | Uint8Array): string {
  const path = join(directory, 'key')
  rmSync(path, { force: true })
  writeFileSync(path, content, { mode: 0o600 })
  return path
}

const base64 = (content: string | Uint8Array): string => Buffer.from(content).toString('base64')

describe('CreateKeyPair', () => {
  it.each(['rsa', 'ed25519'] as const)('makes an %s key that ssh takes', async (KeyType) => {
    await using cloud = await openCloud()
    const made: KeyPair = await cloud.run(createKeyPair, {
      KeyName: 'my key',
      KeyType,
      TagSpecifications: [{ ResourceType: 'key-pair', Tags: [{ Key: 'a', Value: 'b' }] }],
    })
    const path = file(made.KeyMaterial ?? '')
    const [record] = await cloud.store.read((tx) => tx.keyPairs({ account: ALICE }))
    expect(record?.publicKey).toBe(
      `${tool('ssh-keygen', '-y', '-f', path).split(' ').slice(0, 2).join(' ')} my key`,
    )
    expect(made.KeyFingerprint).toBe(fingerprint(KeyType, path))
    expect(made.Tags).toEqual([{ Key: 'a', Value: 'b' }])
    expect(made.KeyPairId).toMatch(/^key-[0-9a-f]{17}$/)
    expect(JSON.stringify(await everything(cloud.store))).not.toContain('PRIVATE')
  })

  /** As the EC2 user guide tells users to check it ("Verify the fingerprint of your key pair"). */
  function fingerprint(type: 'rsa' | 'ed25519', path: string): string {
    if (type === 'ed25519') {
      const [, hash = ''] = tool('ssh-keygen', '-l', '-f', path).split(' ')
      return `${hash.slice('SHA256:'.length)}=`
    }
    const der = join(directory, 'der')
    tool('openssl', 'pkcs8', '-in', path, '-outform', 'DER', '-topk8', '-nocrypt', '-out', der)
    return tool('openssl', 'sha1', '-c', der).split(' ').at(-1) ?? ''
  }

  it('refuses a name that is taken, and makes nothing on a dry run', async () => {
    await using cloud = await openCloud()
    const input = { KeyName: 'key', KeyType: 'ed25519' }
    expect(await cloud.refusal(createKeyPair, { ...input, DryRun: true })).toBe('DryRunOperation')
    await cloud.run(createKeyPair, input)
    expect(await cloud.refusal(createKeyPair, input)).toBe('InvalidKeyPair.Duplicate')
    await cloud.run(createKeyPair, input, BOB)
  })

  it.each(['', ' key', 'a\nssh-rsa AAAA', 'k'.repeat(256), 'schlüssel', 'a\u001b[2J'])(
    'refuses the name %j',
    async (KeyName) => {
      await using cloud = await openCloud()
      expect(await cloud.refusal(createKeyPair, { KeyName })).toBe('InvalidParameterValue')
    },
  )
})

describe('ImportKeyPair', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const ed25519 = generateKeyPairSync('ed25519')
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  type Pair = { readonly publicKey: KeyObject }
  const pem = (pair: Pair): string =>
    pair.publicKey.export({ format: 'pem', type: 'spki' }).toString()
  const der = (pair: Pair): Buffer => pair.publicKey.export({ format: 'der', type: 'spki' })
  /** The public key in a form of ssh-keygen's. */
  const ssh = (pair: Pair, form: 'line' | 'RFC4716'): string => {
    const line = tool('ssh-keygen', '-i', '-m', 'PKCS8', '-f', file(pem(pair)))
    return form === 'line' ? line : tool('ssh-keygen', '-e', '-m', form, '-f', file(line))
  }

  it.each<[string, 'rsa' | 'ed25519', () => string | Uint8Array]>([
    ['an OpenSSH line', 'rsa', () => ssh(rsa, 'line')],
    ['an OpenSSH line with a comment', 'rsa', () => `${ssh(rsa, 'line')} me@home, with spaces\n`],
    ['an SSH2 file', 'rsa', () => ssh(rsa, 'RFC4716')],
    ['PEM', 'rsa', () => pem(rsa)],
    ['PKCS #1 PEM', 'rsa', () => rsa.publicKey.export({ format: 'pem', type: 'pkcs1' })],
    ['base64 DER', 'rsa', () => base64(der(rsa))],
    ['PEM of an Ed25519 key', 'ed25519', () => pem(ed25519)],
  ])('takes %s', async (_form, type, material) => {
    await using cloud = await openCloud()
    const PublicKeyMaterial = base64(material())
    const made = await cloud.run(importKeyPair, { KeyName: 'key', PublicKeyMaterial })
    const [record] = await cloud.store.read((tx) => tx.keyPairs({ account: ALICE }))
    expect(record?.type).toBe(type)
    if (type === 'rsa') {
      expect(record?.publicKey).toBe(`${ssh(rsa, 'line')} key`)
      const md5 = tool('openssl', 'md5', '-c', file(der(rsa)))
        .split(' ')
        .at(-1)
      expect(made['KeyFingerprint']).toBe(md5)
    } else {
      const printed = tool('ssh-keygen', '-l', '-f', file(record?.publicKey ?? ''))
      expect(printed).toContain(`SHA256:${String(made['KeyFingerprint']).slice(0, -1)} `)
    }
  })

  it('takes an Ed25519 line as ssh-keygen writes it', async () => {
    await using cloud = await openCloud()
    const path = join(directory, 'made')
    tool('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', path)
    const line = tool('cat', `${path}.pub`)
    await cloud.run(importKeyPair, { KeyName: 'key', PublicKeyMaterial: base64(line) })
    const [record] = await cloud.store.read((tx) => tx.keyPairs({ account: ALICE }))
    expect(record?.publicKey).toBe(`${line.split(' ').slice(0, 2).join(' ')} key`)
  })

  const small = generateKeyPairSync('rsa', { modulusLength: 512 })
  const blob = (): string => ssh(rsa, 'line').split(' ')[1] ?? ''
  it.each<[string, () => string | Uint8Array]>([
    ['nothing', () => ' '],
    ['text', () => 'hello'],
    ['bytes', () => Uint8Array.from({ length: 500 }, (_, at) => (at * 7) & 255)],
    ['a private key', () => rsa.privateKey.export({ format: 'pem', type: 'pkcs8' })],
    ['an EC key', () => pem(ec)],
    ['an EC line', () => ssh(ec, 'line')],
    ['half a line', () => `ssh-rsa ${blob().slice(0, 100)}`],
    [
      'a longer blob',
      () => `ssh-rsa ${base64(Buffer.concat([Buffer.from(blob(), 'base64'), Buffer.alloc(4)]))}`,
    ],
    ['two lines', () => `${ssh(rsa, 'line')}\n${ssh(rsa, 'line')}`],
    ['options before the key', () => `command="sh" ${ssh(rsa, 'line')}`],
    ['a short key', () => pem(small)],
  ])('refuses %s', async (_form, material) => {
    await using cloud = await openCloud()
    const PublicKeyMaterial = base64(material())
    expect(await cloud.refusal(importKeyPair, { KeyName: 'key', PublicKeyMaterial })).toBe(
      'InvalidKey.Format',
    )
  })
})

describe('DescribeKeyPairs and DeleteKeyPair', () => {
  it('know keys by name and id, and deleting twice is fine', async () => {
    await using cloud = await openCloud()
    const ids: string[] = []
    for (const KeyName of ['one', 'two'])
      ids.push(
        String((await cloud.run(createKeyPair, { KeyName, KeyType: 'ed25519' }))['KeyPairId']),
      )
    expect(await cloud.run(describeKeyPairs, { KeyNames: ['two'] })).toMatchObject({
      KeyPairs: [{ KeyName: 'two', KeyPairId: ids[1], KeyType: 'ed25519', Tags: [] }],
    })
    const filters = { Filters: [{ Name: 'key-name', Values: ['o*'] }], IncludePublicKey: true }
    expect(await cloud.run(describeKeyPairs, filters)).toMatchObject({
      KeyPairs: [{ KeyName: 'one', PublicKey: expect.stringMatching(/^ssh-ed25519 \S+ one$/) }],
    })
    expect(await cloud.refusal(describeKeyPairs, { KeyNames: ['no'] })).toBe(
      'InvalidKeyPair.NotFound',
    )
    expect(await cloud.run(deleteKeyPair, { KeyName: 'one' }, BOB)).toEqual({ Return: true })
    expect(await cloud.run(deleteKeyPair, { KeyName: 'one' })).toMatchObject({ KeyPairId: ids[0] })
    expect(await cloud.run(deleteKeyPair, { KeyName: 'one' })).toEqual({ Return: true })
    expect(await cloud.run(deleteKeyPair, { KeyPairId: ids[1] })).toMatchObject({ Return: true })
    expect(await cloud.run(describeKeyPairs)).toEqual({ KeyPairs: [] })
    expect(await cloud.refusal(deleteKeyPair)).toBe('MissingParameter')
  })
})
