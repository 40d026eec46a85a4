/** What is kept of parameters: never a secret, and never much. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { allActions } from '../../../../src/api/actions/all.ts'
import {
  isSecret,
  keptAnswer,
  keptParameters,
  PARAMETERS_LIMIT,
  REMOVED,
  withoutSecrets,
} from '../../../../src/api/audit/parameters.ts'
import type { Field, Shape, Structure } from '../../../../src/api/wire/model.ts'
import { actionTable } from '../../../../src/api/wire/table.ts'
import { known } from '../../../kit/api.ts'

const table = actionTable(allActions)
const inputOf = (name: string) => known(table.get(name)).wire.input
const outputOf = (name: string) => known(table.get(name)).wire.output

/** All members that are secret, by the path of their names. */
function secretsOf(structure: Structure, seen: readonly Structure[] = []): readonly string[] {
  if (seen.includes(structure)) return []
  return [...structure.byMember.values()].flatMap((field) => {
    if (isSecret(structure, field)) return [field.member]
    const inner = innerOf(field.shape)
    if (inner.kind !== 'structure') return []
    const below = secretsOf(inner.structure, [...seen, structure])
    return below.map((path) => `${field.member}.${path}`)
  })
}

function innerOf(shape: Shape): Shape {
  return shape.kind === 'list' ? innerOf(shape.of) : shape
}

/** Values for every member of a structure; `secrets` gets those of secret ones. */
function filled(structure: Structure, texts: () => string, secrets: string[], depth = 0): object {
  const entries = [...structure.byMember.values()].flatMap((field): [string, unknown][] => {
    const value = filledValue(structure, field, texts, secrets, depth)
    return value === undefined ? [] : [[field.member, value]]
  })
  return Object.fromEntries(entries)
}

function filledValue(
  structure: Structure,
  field: Field,
  texts: () => string,
  secrets: string[],
  depth: number,
): unknown {
  const inner = innerOf(field.shape)
  const isHidden = isSecret(structure, field)
  const one = (): unknown => {
    if (inner.kind === 'structure') {
      if (depth > 4) return undefined
      const inside: string[] = []
      const value = filled(inner.structure, texts, inside, depth + 1)
      secrets.push(...(isHidden ? textsIn(value) : inside))
      return value
    }
    if (inner.kind !== 'scalar') return undefined
    if (inner.type === 'number') return 1
    if (inner.type === 'boolean') return true
    if (inner.type === 'timestamp') return new Date(0)
    const text = texts()
    if (isHidden) secrets.push(text)
    return text
  }
  const value = one()
  return field.shape.kind === 'list' && value !== undefined ? [value] : value
}

function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(textsIn)
}

describe('secrets', () => {
  it('are known by the schema, in every action that takes one', () => {
    const found = allActions.flatMap(({ name }) =>
      secretsOf(inputOf(name)).map((path) => `${name} ${path}`),
    )
    expect(found).toEqual(
      expect.arrayContaining([
        'RunInstances UserData',
        'ModifyInstanceAttribute UserData',
        'CreateLaunchTemplate LaunchTemplateData.UserData',
        'CreateLaunchTemplateVersion LaunchTemplateData.UserData',
        'ImportKeyPair PublicKeyMaterial',
        'GetSessionToken TokenCode',
        'DecodeAuthorizationMessage EncodedMessage',
      ]),
    )
    expect(found.filter((one) => /ClientToken|NextToken/.test(one))).toEqual([])
  })

  it('of random requests of all actions are in nothing that is kept', () => {
    const text = fc.string({ minLength: 16, maxLength: 40, unit: 'grapheme' })
    fc.assert(
      fc.property(
        fc.constantFrom(...allActions),
        fc.array(text, { minLength: 8 }),
        (action, pool) => {
          let at = 0
          const texts = () => `${pool[at++ % pool.length]}-${at}-secret`
          const secrets: string[] = []
          const input = filled(inputOf(action.name), texts, secrets)
          const kept = keptParameters(inputOf(action.name), input)
          const shown = JSON.stringify(kept.shown) + JSON.stringify(kept.resources)
          for (const secret of secrets)
            expect(shown).not.toContain(JSON.stringify(secret).slice(1, -1))
          const complaint = secrets.map((secret) => `Value (${secret}) is invalid`).join()
          for (const secret of kept.secrets)
            expect(withoutSecrets(complaint, kept.secrets)).not.toContain(secret)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('are removed where other parameters repeat them', () => {
    const UserData = 'IyEvYmluL3NoCmVjaG8gaGVsbG8K'
    const kept = keptParameters(inputOf('RunInstances'), {
      UserData,
      TagSpecifications: [{ Tags: [{ Key: 'copy', Value: `x${UserData}` }] }],
    })
    expect(kept.shown).toEqual({
      userData: REMOVED,
      tagSpecifications: [{ tags: [{ key: 'copy', value: `x${REMOVED}` }] }],
    })
  })

  it('of answers are not among the ids that are kept', () => {
    const key = {
      AccessKeyId: 'AKIA1',
      SecretAccessKey: 'a secret of forty characters',
      UserName: 'u',
    }
    const made = keptAnswer(outputOf('CreateAccessKey'), {
      AccessKey: { ...key, CreateDate: new Date(0) },
    })
    expect(made.shown).toEqual({ accessKey: { accessKeyId: 'AKIA1', userName: 'u' } })
    const pair = { KeyName: 'k', KeyMaterial: '-----BEGIN', KeyPairId: 'key-0123456789abcdef0' }
    expect(keptAnswer(outputOf('CreateKeyPair'), pair)).toMatchObject({
      shown: { keyName: 'k', keyPairId: 'key-0123456789abcdef0' },
    })
  })
})

describe('limits', () => {
  it('cut long texts, and leave out parameters that are too many', () => {
    const Value = 'x'.repeat(60_000)
    const tags = (count: number) => ({
      Resources: ['i-0123456789abcdef0'],
      Tags: Array.from({ length: count }, (_, at) => ({ Key: `k${at}`, Value })),
    })
    const one = keptParameters(inputOf('CreateTags'), tags(1))
    expect(JSON.stringify(one.shown)).toContain('… (60000 characters)')
    const many = keptParameters(inputOf('CreateTags'), tags(1000))
    expect(many.shown).toMatchObject({ omitted: true })
    expect(many.resources).toEqual([{ type: 'AWS::EC2::Instance', name: 'i-0123456789abcdef0' }])
    expect(JSON.stringify(many.shown).length).toBeLessThan(PARAMETERS_LIMIT)
  })

  it('name the resources of request and answer', () => {
    const ids = Array.from({ length: 100 }, (_, at) => `i-${String(at).padStart(17, '0')}`)
    const { resources, shown } = keptAnswer(outputOf('RunInstances'), {
      Instances: ids.map((InstanceId) => ({ InstanceId, State: { Name: 'pending' } })),
    })
    expect(resources.map(({ name }) => name)).toEqual(ids)
    expect(shown).toMatchObject({ omitted: true })
  })
})
