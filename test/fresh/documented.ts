/**
 * The commands that README and docs show: those of their code blocks, and those in the middle of a
 * sentence.
 */
import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** The checkout. */
export const ROOT = resolve(import.meta.dirname, '../..')

/** A command as a page shows it. */
export interface Documented {
  /** Without its comment, on one line: `atoll hosts`. */
  readonly text: string
  /** Where it stands: `README.md:12`. */
  readonly at: string
}

/** Code blocks in these languages are for a shell. */
const SHELLS: ReadonlySet<string> = new Set(['sh', 'bash', 'shell', 'console', 'shell-session'])
/** What a command of ours, or one that is shown beside ours, begins with. */
const PROGRAMS = [
  ...[
    'scripts/',
    'vagrant/',
    'bin/',
    '/opt/atoll/',
    './scripts',
    'atoll ',
    'atolld ',
    'aws ',
    'ec2 ',
  ],
  ...['curl ', 'docker ', 'vagrant ', 'virsh ', 'ssh ', 'sudo ', 'systemctl ', 'resolvectl '],
  ...[
    'rabbitmqctl ',
    'mariadb ',
    'nft ',
    'ip ',
    'swanctl ',
    'openssl ',
    'apt-get ',
    'apt ',
    'npm ',
  ],
  ...['node ', 'npx ', 'git ', 'echo ', 'ln ', 'cp ', 'eval ', 'export ', 'head ', 'for '],
]
const FENCE = /^\s*```(\S*)/
const SPAN = /`([^`]+)`/g
/** Its cells are for themselves. */
const TABLE_ROW = /^\s*\|/
/** A comment behind a command. */
const COMMENT = /(?:^|\s+)#.*$/

/** The pages that show commands to users, from the checkout. */
export function pages(): readonly string[] {
  return [
    'README.md',
    'HACKING.md',
    'vagrant/README.md',
    ...globSync('docs/**/*.md', { cwd: ROOT }).sort(),
  ]
}

/**
 * All commands of a page, in its order. Throws on a block that has commands and does not say that
 * it is for a shell.
 */
export function documented(
  page: string,
  text = readFileSync(join(ROOT, page), 'utf8'),
): readonly Documented[] {
  const found: Documented[] = []
  let block: string | null = null
  let begun = ''
  let prose: string[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const at = `${page}:${index + 1}`
    const fence = FENCE.exec(line)
    const goesOn = block === null && fence === null && line.trim() !== '' && !TABLE_ROW.test(line)
    if (!goesOn) {
      found.push(...spans(prose).map((span) => ({ text: span, at })))
      prose = []
    }
    if (fence !== null) {
      block = block === null ? (fence[1] ?? '') : null
    } else if (block === null) {
      prose.push(line)
    } else if (SHELLS.has(block)) {
      const whole = `${begun}${line.replace(COMMENT, '').trim().replace(/^\$ /, '')}`
      begun = whole.endsWith('\\') ? `${whole.slice(0, -1).trim()} ` : ''
      if (begun === '' && whole !== '') found.push({ text: whole, at })
    } else if (isCommand(line)) {
      throw new Error(`${at}: a command in a block that is not marked as \`\`\`sh`)
    }
  }
  return [...found, ...spans(prose).map((span) => ({ text: span, at: page }))]
}

/** Whether this looks like a command, not like the mere name of a program. */
function isCommand(text: string): boolean {
  return PROGRAMS.some((program) => text.startsWith(program)) && /\s/.test(text)
}

/** Commands in the middle of prose, which may go over the end of a line. */
function spans(lines: readonly string[]): readonly string[] {
  const found = [...lines.join('\n').matchAll(SPAN)].map((match) => match[1] ?? '')
  return found.map((text) => text.replaceAll(/\s*\n\s*/g, ' ')).filter(isCommand)
}
