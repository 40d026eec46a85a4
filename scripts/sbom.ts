/** The list of the packages that the programs are made of, as CycloneDX 1.6. */

/** What is used of `package-lock.json`. */
export interface Lock {
  readonly name: string
  readonly version: string
  readonly packages: Readonly<
    Record<
      string,
      { readonly version?: string; readonly license?: string; readonly integrity?: string }
    >
  >
}

/**
 * The list for programs that are made of these files (`node_modules/…`), and use these packages
 * beside them. It says nothing of when or where it was made, so it is the same each time.
 */
export function billOfMaterials(
  lock: Lock,
  files: readonly string[],
  packages: readonly string[],
): string {
  const paths = [...files.flatMap((file) => packageOf(file) ?? []), ...packages.map(inModules)]
  const { name, version } = lock
  const bill = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: {
        ...{ type: 'application', 'bom-ref': `${name}@${version}`, name, version },
        licenses: licensesOf(lock.packages['']?.license),
      },
    },
    components: [...new Set(paths)].toSorted().flatMap((path) => componentOf(lock, path)),
  }
  return `${JSON.stringify(bill, null, 2)}\n`
}

const inModules = (name: string): string => `node_modules/${name}`

/** The path of the package that a file is of, as the lock file has it. */
function packageOf(file: string): string | undefined {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0]
}

function componentOf(lock: Lock, path: string) {
  const { version, license, integrity } = lock.packages[path] ?? {}
  if (version === undefined) return []
  const name = path.replace(/^.*node_modules\//, '')
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`
  return [
    {
      ...{ type: 'library', 'bom-ref': purl, name, version, purl },
      licenses: licensesOf(license),
      hashes: (integrity?.split(' ') ?? []).map(hashOf),
    },
  ]
}

/** A licence is an SPDX identifier, or an expression of several. */
function licensesOf(license: string | undefined) {
  if (license === undefined) return []
  return [/[\s()]/.test(license) ? { expression: license } : { license: { id: license } }]
}

/** `sha512-<base64>`, as subresource integrity has it. */
function hashOf(integrity: string) {
  const [algorithm = '', digest = ''] = integrity.split('-', 2)
  return {
    alg: algorithm.toUpperCase().replace('SHA', 'SHA-'),
    content: Buffer.from(digest, 'base64').toString('hex'),
  }
}
