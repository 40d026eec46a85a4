/**
 * How each command that README and docs show is tried: in a session on a fresh machine, in the
 * order in which somebody would give them, or not, with the reason.
 */

/** One line of a session. */
export interface Step {
  /** Bash. */
  readonly run: string
  /** The command as the pages show it; null for what only makes a session go on. */
  readonly shows: string | null
  /** Exit codes that are right. */
  readonly codes: readonly number[]
  /** What its output must have. */
  readonly says: RegExp
}

/** What stands for something of the reader's own, and what that is in a session. */
const PLACEHOLDERS: readonly (readonly [string, string])[] = [
  ['https://…', 'https://images.invalid'],
  ['vpc-…', '$vpc'],
  ['subnet-…', '$subnet'],
  ['sg-…', '$group'],
  ['dopt-…', '$options'],
  ['igw-…', '$gateway'],
  ['rtb-…', '$table'],
  ['ami-…', '$image'],
  ['i-…', '$instance'],
  ['INSTANCE', '$instance'],
  ['HOST', '$host'],
  ['FILE', 'debian-12.qcow2'],
  ['scripts/drill NAME', 'scripts/drill --lab lab $drill'],
]
const ANYTHING = /^/

/**
 * A command of the pages, tried as it stands there; `beside`: begun, and waited for by a later
 * step.
 */
function shown(
  shows: string,
  {
    codes = [0],
    says = ANYTHING,
    beside = false,
  }: Partial<Pick<Step, 'codes' | 'says'>> & { readonly beside?: boolean } = {},
): Step {
  const fill = (text: string, [from, to]: readonly [string, string]) => text.replaceAll(from, to)
  const run = PLACEHOLDERS.reduce(fill, shows)
  return { run: beside ? `${run} >/root/beside 2>&1 & beside=$!` : run, shows, codes, says }
}

/** What the pages leave to the reader. */
function also(run: string, says = ANYTHING): Step {
  return { run, shows: null, codes: [0], says }
}

/** One host: what the README begins with. */
const ONE_HOST: readonly Step[] = [
  // Takes minutes, most of them the mirror's: beside the rest.
  shown('scripts/make-image FILE', { beside: true }),
  shown('scripts/quickstart', { says: /you come from 198\.51\.100\.1/ }),
  shown('atoll env', { says: /AWS_CA_BUNDLE/ }),
  shown('eval "$(atoll env)"'),
  shown(`alias ec2='aws --endpoint-url "$AWS_ENDPOINT_URL" ec2'`),
  also('docker --host unix:///run/atoll/docker.sock tag atoll-sample:latest nginx:1.27'),
  also('scripts/make-sample-image --archive rootfs.tar.gz'),
  also('for name in disk debian; do qemu-img create -q -f qcow2 $name.qcow2 1G; done'),
  shown('ec2 describe-images', { says: /atoll-sample/ }),
  shown('ec2 register-image --name web --image-location docker://nginx:1.27', { says: /ami-/ }),
  shown('atoll image publish rootfs.tar.gz disk.qcow2', { says: /disk\.qcow2/ }),
  shown('ec2 register-image --name own --image-location /var/lib/atoll/images/rootfs.tar.gz', {
    says: /ami-/,
  }),
  shown('ec2 register-image --name debian --image-location https://…/debian.qcow2', {
    says: /ami-/,
  }),
  also(
    'named() { ec2 describe-images --filters Name=name,Values=$1 --query "Images[0].ImageId" --output text; }',
  ),
  also('image=$(named own); ec2 wait image-available --image-ids $image'),
  also('image=$(named web)'),
  shown('ec2 wait image-available --image-ids ami-…'),
  shown(
    "ec2 run-instances --image-id ami-… --instance-type t3.micro --count 2 --tag-specifications 'ResourceType=instance,Tags=[{Key=Name,Value=web}]'",
    { says: /i-[0-9a-f]{17}/ },
  ),
  also(
    'instance=$(ec2 describe-instances --filters Name=tag:Name,Values=web --query "Reservations[0].Instances[0].InstanceId" --output text)',
  ),
  shown('ec2 create-security-group --group-name web --description "Web servers"', {
    says: /sg-[0-9a-f]{17}/,
  }),
  shown(
    'ec2 authorize-security-group-ingress --group-name web --protocol tcp --port 443 --cidr 0.0.0.0/0',
    { says: /sgr-[0-9a-f]{17}/ },
  ),
  shown('ec2 run-instances --image-id ami-… --instance-type t3.micro --security-groups web', {
    says: /i-[0-9a-f]{17}/,
  }),
  shown('ec2 create-vpc --cidr-block 10.7.0.0/16', { says: /vpc-[0-9a-f]{17}/ }),
  also(
    'vpc=$(ec2 describe-vpcs --filters Name=cidr,Values=10.7.0.0/16 --query "Vpcs[0].VpcId" --output text)',
  ),
  shown('ec2 create-subnet --vpc-id vpc-… --cidr-block 10.7.1.0/24 --availability-zone atoll-1a', {
    says: /subnet-[0-9a-f]{17}/,
  }),
  shown('ec2 create-internet-gateway', { says: /igw-[0-9a-f]{17}/ }),
  also(
    'gateway=$(ec2 describe-internet-gateways --query "InternetGateways[?!Attachments].InternetGatewayId" --output text); table=$(ec2 describe-route-tables --filters Name=vpc-id,Values=$vpc --query "RouteTables[0].RouteTableId" --output text)',
  ),
  shown('ec2 attach-internet-gateway --vpc-id vpc-… --internet-gateway-id igw-…'),
  shown(
    'ec2 create-route --route-table-id rtb-… --destination-cidr-block 0.0.0.0/0 --gateway-id igw-…',
    { says: /true/i },
  ),
  shown('ec2 create-security-group --vpc-id vpc-… --group-name web --description "Web servers"', {
    says: /sg-[0-9a-f]{17}/,
  }),
  also(
    'subnet=$(ec2 describe-subnets --filters Name=vpc-id,Values=$vpc --query "Subnets[0].SubnetId" --output text); group=$(ec2 describe-security-groups --filters Name=vpc-id,Values=$vpc Name=group-name,Values=web --query "SecurityGroups[0].GroupId" --output text)',
  ),
  shown(
    'ec2 run-instances --image-id ami-… --instance-type t3.micro --subnet-id subnet-… --security-group-ids sg-…',
    { says: /10\.7\.1\./ },
  ),
  shown(
    'ec2 create-dhcp-options --dhcp-configurations Key=domain-name,Values=corp.example Key=domain-name-servers,Values=10.7.1.53,AmazonProvidedDNS',
    { says: /dopt-[0-9a-f]{17}/ },
  ),
  also(
    'options=$(ec2 describe-dhcp-options --filters Name=value,Values=corp.example --query "DhcpOptions[0].DhcpOptionsId" --output text)',
  ),
  shown('ec2 associate-dhcp-options --vpc-id vpc-… --dhcp-options-id dopt-…'),
  shown('ec2 associate-dhcp-options --vpc-id vpc-… --dhcp-options-id default'),
  shown('ec2 wait instance-running --instance-ids i-…'),
  shown(
    "ec2 run-instances --image-id ami-… --tag-specifications 'ResourceType=instance,Tags=[{Key=atoll:ttl,Value=8h}]'",
    { says: /atoll:ttl/ },
  ),
  shown('ec2 create-tags --resources i-… --tags Key=atoll:ttl,Value=2030-01-31T18:00:00Z'),
  shown('ec2 create-tags --resources i-… --tags Key=atoll:ttl,Value=3d'),
  shown('ec2 delete-tags --resources i-… --tags Key=atoll:ttl'),
  shown(
    "ec2 create-tags --resources i-… --tags 'Key=atoll:schedule,Value=mon-fri 08:00-18:00 Europe/Berlin'",
  ),
  also('ec2 delete-tags --resources $instance --tags Key=atoll:schedule'),
  shown('ec2 describe-instances --filters Name=tag:Name,Values=web', { says: /running/ }),
  shown('atoll console INSTANCE'),
  shown('atoll console i-…'),
  shown('atoll console INSTANCE --ticket', { says: /wss:.*atoll\.console\.v1/s }),
  shown("echo 'uname -a' | atoll console i-…", { says: /Linux/ }),
  shown('ec2 get-console-output --instance-id i-… --output text', { says: /eth0 is/ }),
  shown('ec2 wait instance-status-ok --instance-ids i-…'),
  shown('ec2 describe-instance-status --instance-ids i-…', { says: /passed/ }),
  shown('ec2 stop-instances --instance-ids i-…', { says: /stopping/ }),
  shown('ec2 wait instance-stopped --instance-ids i-…'),
  shown('ec2 create-image --instance-id i-… --name golden', { says: /ami-/ }),
  also('image=$(named golden)'),
  shown('ec2 wait image-available --image-ids ami-…'),
  shown('ec2 terminate-instances --instance-ids i-…', { says: /shutting-down|terminated/ }),
]

const OPERATIONS: readonly Step[] = [
  shown('atoll status', { says: /health +healthy/ }),
  shown('atoll hosts', { says: /active/ }),
  shown('atoll instances', { says: /running/ }),
  // It knows machines on which something is amiss, and says so.
  shown('atoll doctor', { codes: [0, 1], says: /ok/ }),
  also('host=$(hostname -s | tr "[:upper:]" "[:lower:]")'),
  shown('atoll accounts create red', { says: /AKIA/ }),
  shown('atoll accounts list', { says: /red/ }),
  shown('atoll accounts quota red instances=20 vcpus=40 addresses=2', { says: /account/ }),
  shown('atoll accounts quota red', { says: /vcpus +40 +account/ }),
  shown('atoll keys create ci --account red --policy read-only', { says: /AKIA/ }),
  shown('atoll keys create ops --account red', { says: /AKIA/ }),
  shown('atoll keys list --account 123456789012'),
  shown('atoll audit --since 2026-11-01T00:00:00Z', { says: /RunInstances/ }),
  shown('atoll audit --account red --lines'),
  shown('atoll audit --account operator', { says: /accounts create/ }),
  shown('atoll audit --account strangers'),
  shown('aws cloudtrail lookup-events --endpoint-url "$AWS_ENDPOINT_URL" --max-results 10', {
    says: /CloudTrailEvent/,
  }),
  shown('atoll accounts disable red', { says: /disabled/ }),
  shown('atoll accounts enable red', { says: /active/ }),
  shown('atoll keys list', { says: /AKIA/ }),
  shown('atoll usage', { says: /UTC/ }),
  shown('atoll usage --from 2026-11-01 --to 2026-11-30 --by-tag team', { says: /UTC/ }),
  shown('atoll usage --account red --daily --csv', { says: /instanceHours/ }),
  also(
    'key=$(atoll keys create reader | grep -oE "AKIA[A-Z0-9]+" | head -n 1); atoll keys disable $key; atoll keys enable $key; atoll keys rotate $key; atoll keys delete $key',
  ),
  also('curl -sf http://127.0.0.1:9773/metrics', /atoll_/),
  also('curl -sf http://127.0.0.1:9773/healthz'),
  shown('atoll check --api'),
  also('curl -sf --cacert "$AWS_CA_BUNDLE" "$AWS_ENDPOINT_URL/healthz"', /true/),
  shown('atoll drain HOST'),
  also('atoll undrain $host'),
  shown('atoll evacuate HOST --dry-run', { says: /no other host/ }),
  shown('atoll moves', { says: /INSTANCE/ }),
  shown('atoll rebalance'),
  shown('atolld --check-config'),
  shown('atolld --print-config', { says: /secretFile/ }),
  shown('nft list table inet atoll_budgets', { says: /atoll_budgets/ }),
  shown('atoll image publish debian.qcow2'),
  shown('atoll image list', { says: /debian\.qcow2/ }),
  shown('atoll image unpublish debian.qcow2'),
  // What quickstart says in the end.
  also('aws --endpoint-url "$AWS_ENDPOINT_URL" ec2 describe-instances --output table', /web/),
  also('cloud_up=$(left); [ -n "$cloud_up" ]'),
  shown('scripts/quickstart --down'),
  also('still=$(left); echo "$still"; [ -z "$still" ]'),
  shown('scripts/install', { says: /ok {2}Start atolld/ }),
  also('for n in $(seq 60); do atoll hosts | grep active && break; sleep 1; done', /active/),
  also('scripts/install --uninstall'),
  also('still=$(left); echo "$still"; [ -z "$still" ]'),
]

/** Three hosts on this machine, and tools that measure. */
const LAB: readonly Step[] = [
  shown('scripts/lab up --hosts 3', { says: /the lab is ready/ }),
  also('scripts/lab status', /h3/),
  also('eval "$(scripts/lab env h2)"; scripts/lab exec outside -- true'),
  also('scripts/lab exec h1 -- bash /root/on-a-host'),
  shown('scripts/drill list', { says: /host-loss/ }),
  also('drill=host-loss'),
  // How long a gap is depends on what the machine does beside; nothing may be lost or left over.
  shown('scripts/drill NAME', {
    codes: [0, 1],
    says: /\| host-loss \| 0 of \d+ \| 0 of \d+ \| 0 of \d+ \|.*\| nothing \|/,
  }),
  also('scripts/lab down'),
  shown('scripts/bench bus', { codes: [0, 1], says: /\| Atoll \|/ }),
  also('still=$(left); echo "$still"; [ -z "$still" ]'),
]

/** On the first host of that lab. */
const ON_A_HOST: readonly Step[] = [
  shown('password=$(openssl rand -hex 16)'),
  shown('rabbitmqctl add_user client "$password"'),
  shown(
    "rabbitmqctl set_permissions client '^$' '^atoll\\.commands$' '^amq\\.rabbitmq\\.reply-to.*$'",
  ),
  also('eval "$(atoll env)"'),
  shown('export AMQP_URL="amqps://client:$password@10.0.0.1:5671" AMQP_TLS=/etc/atoll/tls'),
  shown('node_modules/.bin/node docs/examples/command.mjs DescribeInstances', {
    says: /Reservations/,
  }),
]

/** What was begun first, and ends last. */
const IMAGE: readonly Step[] = [
  also('wait $beside; ended=$?; cat /root/beside; [ $ended = 0 ]'),
  also('qemu-img info debian-12.qcow2', /file format: qcow2/),
]

/** The sessions, each in a shell of its own, the second from within the first. */
export const SESSIONS = {
  main: [...ONE_HOST, ...OPERATIONS, ...LAB, ...IMAGE],
  'on-a-host': ON_A_HOST,
} as const satisfies Readonly<Record<string, readonly Step[]>>

/**
 * Commands that no session gives, and why; a text that ends in `…` stands for all that begin so.
 */
export const NOT_TRIED: Readonly<Record<string, string>> = {
  'rabbitmqctl cluster_status': "RabbitMQ's own, about a broker that stood still",
  'systemctl restart rabbitmq-server': "systemd's own, for a broker that stood still",
  'scripts/test': 'it is what runs this',
  'scripts/test lab': 'it is what runs this',
  'scripts/test unit': 'it is what runs this',
  'npm run lint': '.ci/run does it',
  'npm run build': 'test/unit/scripts/build.test.ts builds',
  'npm run generate': 'tests compare what it writes with what is there',
  'export PATH=$PWD/node_modules/.bin:$PATH': 'names the packages of a developer',
  'scripts/bench all': 'takes an hour; one of them is run',
  'scripts/drill all': 'takes half an hour; one of them is run',
  'scripts/sim --seeds 200': 'test/sim runs the same',
  'atolld --config FILE --part services': 'the daemon starts it',
  'atolld --config FILE --part agent': 'for a service manager that starts the other part',
  'atolld --config FILE --part api': 'the daemon starts it, if a setting says so',
  'scripts/drill reach': 'takes five minutes; another drill is run',
  'scripts/drill rule-latency': 'measures for two minutes; another drill is run',
  'docker …': "another tool's command, which is spoken of",
  'ssh -t HOST atoll console i-…': 'needs an ssh server; the command is run without',
  'ticket=$(atoll console i-… --ticket)': 'is for wscat',
  'wscat …':
    'needs wscat, which was tried by hand: test/contract/api/console.test.ts has its protocol',
  'atolld --config FILE': 'quickstart starts the daemon so',
  'atoll forget HOST': 'needs a host that is off for good: test/lab/cluster.test.ts',
  'atoll move INSTANCE …': 'needs another host: test/lab/moves.test.ts',
  'atoll evacuate HOST': 'as above',
  'atoll storage init': 'needs a directory of several hosts: test/lab/recover-disk.test.ts',
  'aws ec2 run-instances --image-id ami-… --tag-specifications …': 'as above',
  'apt-get install --no-install-recommends ceph-common qemu-block-extra':
    'needs a Ceph cluster: test/contract/ceph.test.ts',
  'ceph …': 'as above',
  'scripts/install --uninstall': 'removes what others need: test/lab/install.test.ts',
  'scripts/install --ceph …': 'needs the packages of Ceph: test/lab/install-ceph.test.ts',
  'rbd pool init atoll': 'as above',
  'atoll explain …': 'needs groups with rules: test/unit/plan/explain.test.ts',
  'atoll trace …': 'needs groups with rules: test/lab/trace.test.ts',
  'ec2 allocate-address': 'needs a pool of addresses: test/contract/api/boto3/addresses.py',
  'ec2 allocate-address …': 'needs a pool, as above',
  'ec2 associate-address …': 'needs an address, as above',
  'ec2 create-nat-gateway …': 'needs an address: test/contract/api/boto3/routes.py',
  'ec2 disassociate-address …': 'needs an address, as above',
  'ec2 release-address …': 'needs an address, as above',
  'ec2 run-instances --associate-public-ip-address …': 'needs an address, as above',
  'ec2 describe-public-ipv4-pools': 'needs a pool, as above',
  'aws ec2 create-flow-logs …': 'needs a minute: test/lab/flow-logs.test.ts, boto3/vpcs.py',
  'aws ec2 describe-flow-logs': 'as above',
  'aws ec2 delete-flow-logs …': 'as above',
  'ec2 create-managed-prefix-list …': 'test/contract/api/actions.test.ts',
  'ec2 modify-managed-prefix-list …': 'as above',
  "ec2 authorize-security-group-ingress --group-name web --ip-permissions 'IpProtocol=-1,PrefixListIds=[{PrefixListId=pl-…}]'":
    'needs a list, as above',
  'aws ec2 create-launch-template …': 'boto3/templates.py',
  'aws ec2 create-launch-template-version …': 'as above',
  'aws ec2 modify-launch-template …': 'as above',
  'aws ec2 run-instances --launch-template …': 'as above',
  'aws ec2 create-placement-group …': 'as above',
  'aws ec2 run-instances --image-id ami-… --count 3 --placement GroupName=apart': 'as above',
  'aws ec2 modify-image-attribute …': 'as above',
  'aws ec2 reset-image-attribute …': 'as above',
  'aws ec2 enable-image-deprecation …': 'test/contract/api/actions.test.ts',
  'aws ec2 disable-image-deprecation …': 'as above',
  'ec2 modify-instance-event-start-time …': 'needs an announced event, as above',
  'ec2 modify-network-interface-attribute --network-interface-id eni-… --no-source-dest-check':
    'needs an instance that forwards: test/lab/vpcs-cloud.test.ts',
  'ec2 create-route --route-table-id rtb-… --destination-cidr-block 0.0.0.0/0 --nat-gateway-id nat-…':
    'needs such a gateway: boto3/routes.py',
  'ec2 create-route --route-table-id rtb-… --destination-cidr-block 0.0.0.0/0 --network-interface-id eni-…':
    'as above',
  'ec2 create-vpc-peering-connection …':
    'needs two VPCs of two accounts: test/contract/api/boto3/peering.py',
  'ec2 accept-vpc-peering-connection …': 'needs a request, as above',
  'ec2 describe-vpc-peering-connections': 'needs a connection, as above',
  'ip rule': 'needs a pool with a gateway: test/lab/vpcs-floating-ips.test.ts',
  'ip route show table all': 'needs a pool with a gateway, as above',
  'ec2 create-network-interface …': 'test/lab/machines.test.ts, boto3/nics.py',
  'ec2 attach-network-interface …': 'as above',
  'ec2 detach-network-interface …': 'as above',
  'ec2 delete-network-interface …': 'as above',
  'ec2 assign-private-ip-addresses …': 'as above',
  'ec2 unassign-private-ip-addresses …': 'as above',
  'ec2 run-instances --image-id ami-… --instance-type t3.small --network-interfaces …': 'as above',
  'ip netns …': 'needs a VPC with instances: test/lab/vpcs-cloud.test.ts',
  'atoll image publish': 'names the command without its files',
  'atoll accounts quota': 'is tried with what it sets',
  'atoll keys': 'names a group of commands',
  'atoll keys create --policy': 'is tried with a user',
  'aws iam …': 'needs what the pages leave to the reader: test/contract/api/boto3/iam.py',
  'aws sts …': 'needs a request that was refused, as above',
  'atoll teardown': 'scripts/quickstart --down does it, with the daemon stopped',
  'rabbitmqctl add_user listener …': 'test/contract/command-queue.test.ts has such a user',
  'rabbitmqctl set_permissions listener …': 'as above',
  'rabbitmqctl set_topic_permissions listener …': 'as above',
  'rabbitmqctl set_policy …': 'limits queues that are never read',
  'aws cloudtrail lookup-events …': 'names an instance; is tried without',
  'rabbitmqctl status': 'is spoken of as a question that a sick broker does not answer',
  'resolvectl dns …': 'needs systemd-resolved',
  'systemctl edit atolld': 'needs systemd',
  "systemctl stop 'atolld*'": 'needs systemd',
  'scripts/install --uninstall --keep-state': 'needs systemd, and an older release',
  'git pull': 'there is nothing newer to get',
  'aws ec2 modify-instance-metadata-defaults --http-tokens optional':
    "Debian 12's AWS CLI does not know it",
  'nft flush ruleset': 'is spoken of as an attack: test/attack/guard-rules-removed.test.ts',
  'head -c 32 /dev/urandom | base64 > /root/atoll-secret': 'needs three machines',
  'scripts/install --hosts …': 'needs three machines: vagrant/; on one: test/lab/install.test.ts',
  'scripts/install --api-address 10.0.0.100':
    'needs the network of a cluster: test/lab/api-address.test.ts and api-address-loss.test.ts',
  'systemctl stop atoll-api-address': 'needs systemd, which no test has',
  'scripts/install --engines': 'names an option; needs a machine with systemd: vagrant/',
  '/opt/atoll/current/scripts/engines-guard admit 10.0.0.4':
    'needs three machines: test/attack/engines.test.ts',
  'ln -s /etc/atoll/tls/host.key': 'part of a setting of strongSwan, which is not installed',
  'swanctl --load-all': 'needs strongSwan and a kernel with ESP',
  'cd vagrant': 'needs Vagrant with a provider and a box, and an hour where it is emulated',
  'vagrant …': 'needs Vagrant with a provider and a box, and an hour where it is emulated',
  'vagrant/drill …': 'needs Vagrant',
  'virsh …': 'needs Vagrant',
  'scripts/make-box …': 'takes ten minutes, and a loop device',
  'ATOLL_BOX=atoll/debian12 …': 'needs Vagrant',
  'eval "$(vagrant ssh …': 'needs Vagrant',
  'aws --endpoint-url https://192.168.56.12:8773 …': 'needs Vagrant',
  'for host in h1 h2 h3; do virsh …': 'needs Vagrant',
}
