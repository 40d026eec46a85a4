import { describe, expect, test } from 'vitest'
import { parseImageLocation } from '../../../src/model/image-location.ts'

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
    expect(parseImageLocation(path)).toEqual({ kind: 'file', path })
  })

  test.each([
    '',
    'web:1',
    'docker://',
    'docker://-x',
    'docker://web:',
    'docker://we b',
    'docker://web\n',
    'docker://a/../b',
    'docker://a//b',
    'http://host/x.tar',
    'file://relative.tar',
    'file:///srv/../etc/x.tar',
    'file:///srv/./x.tar',
    'file:///etc/shadow',
    'file:///srv/two words.tar',
    'file://',
    `file:///${'a'.repeat(2000)}.tar`,
  ])('refused: %j', (text) => {
    expect(parseImageLocation(text)).toBeUndefined()
  })
})
