/** The small pure edges: locations, log frames, boot records, ELF heads, container descriptions. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bootOf, parseBootRecord } from '../../../../src/services/workloads/boot-record.ts'
import { demultiplex, tail } from '../../../../src/services/workloads/docker-logs.ts'
import { guestNetwork, renderContainer } from '../../../../src/services/workloads/docker-spec.ts'
import { isStaticElf } from '../../../../src/services/workloads/elf.ts'
import { renderKit } from '../../../../src/services/workloads/guest-kit.ts'
import { parseImageLocation } from '../../../../src/services/workloads/location.ts'
import { instance } from '../../../kit/instance.ts'

describe('image locations', () => {
  test.each([
    ['docker://web', 'web:latest'],
    ['docker://web:1.2', 'web:1.2'],
    ['docker://registry.example:5000/team/web:v1', 'registry.example:5000/team/web:v1'],
    ['docker://ghcr.io/a/b', 'ghcr.io/a/b:latest'],
    [`docker://web@sha256:${'a'.repeat(64)}`, `web@sha256:${'a'.repeat(64)}`],
  ])('%s', (text, reference) => {
    expect(parseImageLocation(text)).toEqual({ kind: 'docker', reference })
  })

  test.each(['/srv/rootfs.tar', '/srv/a/rootfs.tar.gz', '/srv/x.tgz'])('file://%s', (path) => {
    expect(parseImageLocation(`file://${path}`)).toEqual({ kind: 'file', path })
  })

  test.each([
    '',
    'web:1',
    'docker://',
    'docker://-x',
    'docker://web:',
    'docker://we b',
    'docker://web\n',
    'http://host/x.tar',
    'file://relative.tar',
    'file:///srv/../etc/x.tar',
    'file:///srv/./x.tar',
    'file:///etc/shadow',
    `file:///${'a'.repeat(2000)}.tar`,
  ])('refused: %j', (text) => {
    expect(() => parseImageLocation(text)).toThrow(/ImageLocation/)
  })
})

describe('log frames', () => {
  const frame = (payload: Uint8Array, stream: number) => {
    const header = Buffer.alloc(8)
    header[0] = stream
    header.writeUInt32BE(payload.length, 4)
    return Buffer.concat([header, payload])
  }

  test('give back what was framed', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.uint8Array(), fc.constantFrom(1, 2))), (parts) => {
        const framed = Buffer.concat(parts.map(([payload, stream]) => frame(payload, stream)))
        expect(demultiplex(framed)).toEqual(Buffer.concat(parts.map(([payload]) => payload)))
      }),
    )
  })

  test('that are cut off or nonsense end quietly', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(demultiplex(Buffer.from(bytes)).length).toBeLessThanOrEqual(bytes.length)
      }),
    )
  })

  test('only the end is kept', () => {
    expect(tail(Buffer.from('hello'), 2).toString()).toBe('lo')
    expect(tail(Buffer.from('hello'), 9).toString()).toBe('hello')
  })
})

describe('boot records', () => {
  test('tell the announced start from the one before', () => {
    const record = { bootCount: 3, startedBefore: 'a' }
    expect(bootOf(record, 'a')).toBe(2)
    expect(bootOf(record, 'b')).toBe(3)
    expect(bootOf(null, 'b')).toBeNull()
  })

  test('that are torn or foreign count as lost', () => {
    expect(parseBootRecord('{"bootCount":1,"startedBefore":""}')).not.toBeNull()
    for (const text of ['', '{', 'null', '{"bootCount":0,"startedBefore":""}', '{"bootCount":1}'])
      expect(parseBootRecord(text)).toBeNull()
  })
})

test('static programs are told from dynamic ones and from garbage', () => {
  expect(isStaticElf(readFileSync('/bin/busybox').subarray(0, 4096))).toBe(true)
  expect(isStaticElf(readFileSync('/bin/ls').subarray(0, 4096))).toBe(false)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 128 }), (bytes) => {
      expect(isStaticElf(Buffer.from(bytes))).toBe(false)
    }),
  )
})

describe('container descriptions', () => {
  test.each([
    [{ 'atoll.network': 'dhcp' }, ['/bin/app'], 'dhcp'],
    [{}, ['/sbin/init'], 'init'],
    [{}, ['/lib/systemd/systemd'], 'init'],
    [{}, [], 'init'],
    [{ 'atoll.network': 'other' }, ['/bin/app', '/sbin/init'], 'plain'],
  ] as const)('%j %j is %s', (labels, command, expected) => {
    expect(guestNetwork(labels, command)).toBe(expected)
  })

  test('carry our marks over the image’s own labels, limits of the type, no network and no restarts', () => {
    const want = instance(1)
    const image = {
      id: 'sha256:aa',
      architecture: 'x86_64',
      command: ['/bin/app', '-x'],
      labels: {},
    }
    const spec = renderContainer(want, image, '/kit', 'atoll.internal')
    expect(spec).toMatchObject({
      name: `atoll-${want.id}`,
      Image: 'sha256:aa',
      Labels: { 'atoll.instance': want.id, 'atoll.guest': 'plain' },
      Cmd: ['/bin/app', '-x'],
      HostConfig: {
        NetworkMode: 'none',
        Dns: ['172.31.0.1', '169.254.169.253'],
        Memory: 1024 * 1024 * 1024,
        CpuQuota: 200_000,
        CapAdd: [],
      },
    })
    expect(spec.HostConfig?.RestartPolicy).toBeUndefined()
  })
})

describe('guest kits', () => {
  const file = (want: Parameters<typeof renderKit>[0], name: string, firstBoot = true) =>
    renderKit(want, firstBoot).find((one) => one.name === name)

  test('only user data that starts with #! may be run', () => {
    const script = Buffer.from('#!/bin/sh\n').toString('base64')
    expect(file(instance(1, { userData: script }), 'user-data')?.mode).toBe(0o755)
    expect(file(instance(1), 'user-data')?.mode).toBe(0o644)
    expect(file(instance(1, { userData: null }), 'user-data')?.content).toBeNull()
  })

  test('the first boot is marked and later ones are not', () => {
    expect(file(instance(1), 'first-boot')?.content).toBe('')
    expect(file(instance(1), 'first-boot', false)?.content).toBeNull()
  })
})
