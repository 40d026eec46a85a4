#!/bin/bash
# Writes the disk of the machine outside: a web server of which a page says under which address it
# sees the client, a UDP echo, and a name server that knows outside.test. From the environment: DISK
# NAME HOSTS SERVER (its address).
set -euo pipefail
mkdir -p "$DISK"/{etc,lib/misc,lib/www/cgi-bin,log,services/web,services/echo,services/names,work}
printf '%s\n' "$NAME" >"$DISK/etc/hostname"
printf '127.0.0.1 localhost\n%s\n' "$HOSTS" >"$DISK/etc/hosts"
printf 'hello from outside\n' >"$DISK/lib/www/index.html"
cat >"$DISK/lib/www/cgi-bin/whoami" <<'PAGE'
#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n%s\n' "$REMOTE_ADDR"
PAGE
printf '#!/bin/sh\nexec busybox httpd -f -p 0.0.0.0:80 -h /var/lib/www\n' >"$DISK/services/web/run"
printf '#!/bin/sh\nexec socat -T 10 UDP4-LISTEN:7,bind=%s,fork,reuseaddr PIPE\n' "$SERVER" >"$DISK/services/echo/run"
printf '#!/bin/sh\nexec dnsmasq --keep-in-foreground --user=nobody --pid-file= --conf-file=/dev/null --no-resolv --no-hosts --address=/outside.test/%s\n' "$SERVER" \
  >"$DISK/services/names/run"
chmod +x "$DISK"/services/*/run "$DISK/lib/www/cgi-bin/whoami"
