/** The list of packages that the programs are made of. */
import { expect, it } from 'vitest'
import { billOfMaterials, type Lock } from '../../../scripts/sbom.ts'

const DIGEST = Buffer.alloc(64, 7)
const LOCK: Lock = {
  name: 'atoll',
  version: '1.2.3',
  packages: {
    '': { license: 'Apache-2.0' },
    'node_modules/ajv': { version: '8.0.0', license: 'MIT' },
    'node_modules/@aws-sdk/core': {
      ...{ version: '3.1.0', license: '(MIT OR Apache-2.0)' },
      integrity: `sha512-${DIGEST.toString('base64')}`,
    },
    'node_modules/ajv/node_modules/fast-uri': { version: '3.0.0', license: 'BSD-3-Clause' },
    'node_modules/fast-uri': { version: '4.0.0', license: 'BSD-3-Clause' },
    'node_modules/koffi': { version: '3.3.4', license: 'MIT' },
    'node_modules/vitest': { version: '5.0.0', license: 'MIT' },
  },
}
const FILES = [
  'src/main.ts',
  'node_modules/ajv/lib/a.js',
  'node_modules/ajv/lib/b.js',
  'node_modules/ajv/node_modules/fast-uri/index.js',
  'node_modules/@aws-sdk/core/dist/index.js',
  'unused:ssh2',
]

it('has each package of the files once, at the version of its place, and those beside', () => {
  const bill = JSON.parse(billOfMaterials(LOCK, FILES, ['koffi', 'not-installed']))
  expect(bill).toMatchObject({
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    metadata: { component: { name: 'atoll', version: '1.2.3', type: 'application' } },
  })
  expect(bill.components).toEqual([
    {
      ...{ type: 'library', name: '@aws-sdk/core', version: '3.1.0' },
      'bom-ref': 'pkg:npm/%40aws-sdk/core@3.1.0',
      purl: 'pkg:npm/%40aws-sdk/core@3.1.0',
      licenses: [{ expression: '(MIT OR Apache-2.0)' }],
      hashes: [{ alg: 'SHA-512', content: DIGEST.toString('hex') }],
    },
    expect.objectContaining({ purl: 'pkg:npm/ajv@8.0.0', licenses: [{ license: { id: 'MIT' } }] }),
    expect.objectContaining({ purl: 'pkg:npm/fast-uri@3.0.0' }),
    expect.objectContaining({ purl: 'pkg:npm/koffi@3.3.4', hashes: [] }),
  ])
})

it('is the same, whatever the order of the files', () => {
  const one = billOfMaterials(LOCK, FILES, ['koffi'])
  expect(billOfMaterials(LOCK, FILES.toReversed(), ['koffi'])).toBe(one)
})
