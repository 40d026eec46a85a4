/** `atoll image`: publishes files of this host, which any client may then launch. */
import type { Command } from 'commander'
import { columns, type Output, print, show } from './cli-output.ts'
import type { Config } from './config.ts'
import {
  listPublished,
  type Published,
  type PublishedImage,
  publishImage,
  unpublishImage,
} from './images/published.ts'
import { GIB } from './model/sizes.ts'

interface PublishOptions extends Output {
  readonly name?: string
  readonly replace?: boolean
}

/** Adds the command and its parts. `settings` reads the configuration. */
export function addImages(program: Command, settings: () => Config['images']): void {
  const command = program
    .command('image')
    .description('published images of this host: files that any client may launch')
  command
    .command('publish <files...>')
    .description('copy disk images, kernels, initramfs or archives to where clients may use them')
    .option('--name <name>', "name of the published image (default: the file's name)")
    .option('--replace', 'replace a published image of the same name')
    .option('--json', 'print JSON')
    .action(
      async (files: readonly string[], { name, replace = false, ...output }: PublishOptions) => {
        const { directories, maxGiB } = settings()
        const [directory] = directories
        if (directory === undefined)
          throw new Error(
            'images.directories is empty: name a directory there, for example /var/lib/atoll/images',
          )
        const options = { replace, maxBytes: maxGiB * GIB, ...(name === undefined ? {} : { name }) }
        if (name !== undefined && files.length > 1)
          throw new Error('--name takes one file; publish the files one by one')
        for (const file of files)
          show(output, await publishImage(file, directory, options), renderPublished)
      },
    )
  command
    .command('list')
    .description('list published images, and files that are not published, with the reason')
    .option('--json', 'print JSON')
    .action(async (output: Output) => {
      const { directories, maxGiB } = settings()
      show(output, await listPublished(directories, maxGiB * GIB), renderList)
    })
  command
    .command('unpublish <name>')
    .description('remove a published image; instances made from it keep running')
    .action(async (name: string) => {
      print(`removed ${await unpublishImage(name, settings().directories)}`)
    })
}

function renderPublished({ path, kind, sha256 }: Published): string {
  const use = {
    disk: path,
    archive: path,
    kernel: `kernel=${path},initrd=FILE`,
    initrd: `kernel=FILE,initrd=${path}`,
  }
  return [
    `published ${path} (${kind}, sha256 ${sha256})`,
    `    aws ec2 register-image --name NAME --image-location ${kind === null ? path : use[kind]}`,
  ].join('\n')
}

function renderList(images: readonly PublishedImage[]): string {
  return columns(
    ['PATH', 'KIND', 'BYTES', 'NOT PUBLISHED BECAUSE'],
    images.map(({ path, kind, bytes, problem }) => [path, kind, bytes, problem]),
  )
}
