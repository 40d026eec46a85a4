/** Which references clients may name. */
import { expect, test } from 'vitest'
import { isLocal } from '../../../src/containers/sources.ts'
import { parseImageLocation, splitReference } from '../../../src/model/image-location.ts'

test.each([
  ['web:1', 'docker.io', 'web'],
  ['library/web:1', 'docker.io', 'web'],
  ['docker.io/library/web', 'docker.io', 'web'],
  ['index.docker.io/me/web@sha256:a', 'docker.io', 'me/web'],
  ['me/web', 'docker.io', 'me/web'],
  ['ghcr.io/a/b:v1', 'ghcr.io', 'a/b'],
  ['localhost/x', 'localhost', 'x'],
  ['10.0.0.1:5000/x:1', '10.0.0.1:5000', 'x'],
  ['registry:5000/x', 'registry:5000', 'x'],
])('%s is pulled from %s as %s', (reference, registry, name) => {
  const digest = `@sha256:${'a'.repeat(64)}`
  expect(splitReference(reference.replace('@sha256:a', digest))).toEqual({ registry, name })
})

test.each([
  ...[
    'docker://sha256:abc',
    `docker://sha256:${'a'.repeat(64)}`,
    'docker://SHA256:abc',
    'docker://sha512:abc',
    'docker://library/sha256:a',
  ],
  ...[
    'docker://atoll-image:ami-0123456789abcdef0',
    `docker://atoll-image:${'a'.repeat(64)}`,
    'docker://docker.io/library/atoll-image:x',
  ],
  ...[
    'docker://index.docker.io/library/atoll-image:x',
    'docker://library/atoll-image',
    `docker://atoll-image@sha256:${'a'.repeat(64)}`,
  ],
])('%s, an image by its id or of another account, is no location', (text) => {
  expect(parseImageLocation(text)).toBeUndefined()
})

test.each([
  ['web:1', ['*'], true],
  ['web:1', ['web'], true],
  ['web:1', ['web:1'], true],
  ['web:2', ['web:1'], false],
  ['web:1', [], false],
  ['team/web:1', ['web'], false],
  ['team/web:1', ['team/*'], true],
  ['team/web:1', ['*/web'], true],
  ['docker.io/library/web:1', ['web'], true],
  ['ghcr.io/team/web:1', ['team/*'], false],
  ['ghcr.io/team/web:1', ['ghcr.io/*:1'], true],
  ['ghcr.io/team/web:1', ['ghcr.io/*b:1*1'], false],
  ['secret:latest', ['*public*', 'web'], false],
])('%s by %j: %s', (reference, patterns, may) => {
  expect(isLocal(reference, patterns)).toBe(may)
})
