#!/bin/sh
# Builds the guest's initial file system: Node.js, cocoon-node as a checkout of this commit builds it, its locked
# packages, busybox. Run it on Debian, from a clean checkout:
#
#   deploy/tdx-guest/build-initrd.sh --busybox /bin/busybox --out guest [--kernel-modules /lib/modules/6.12.0] [--gpu]
#
# Without --kernel-modules the initrd has none: good for a look at it, not for booting a distribution's kernel.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
project=$(CDPATH='' cd -- "$here/../.." && pwd)
busybox=/bin/busybox
out=
kernel_modules=
gpu=no
while [ $# -gt 0 ]; do
  case $1 in
    --busybox) busybox=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --kernel-modules) kernel_modules=$2; shift 2 ;;
    --gpu) gpu=yes; shift ;;
    *) echo "$1 is no option: see the head of $0" >&2; exit 2 ;;
  esac
done
[ -n "$out" ] || { echo 'Say where to with --out <folder>' >&2; exit 2; }
[ -x "$busybox" ] || { echo "$busybox is missing: install busybox-static, or name another with --busybox" >&2; exit 3; }
if ldd "$busybox" > /dev/null 2>&1; then
  echo "$busybox needs shared libraries: install busybox-static" >&2
  exit 3
fi

umask 022
export LC_ALL=C TZ=UTC
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$out" "$root/app" "$root/bin" "$root/data" "$root/dev" "$root/etc" "$root/lib" "$root/proc" "$root/sys" \
  "$root/tmp" "$root/usr"

# A program and the shared libraries it names, at the places it looks for them.
copy_libraries() {
  ldd "$1" 2> /dev/null | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) .*/\1/p' | while read -r library; do
    case $library in
      # It came with the package, and is found beside whoever needs it.
      "$root"/*) continue ;;
    esac
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
  done
}

node=$(command -v node)
cp -L "$node" "$root/bin/node"
copy_libraries "$node"
cp "$busybox" "$root/bin/busybox"
for name in sh mount insmod ip udhcpc sync poweroff echo false; do
  ln -s busybox "$root/bin/$name"
done
ln -s ../bin "$root/usr/bin"
cp "$here/init" "$root/init"
cp "$here/dhcp-script" "$root/bin/dhcp-script"
chmod 755 "$root/init" "$root/bin/dhcp-script"
: > "$root/etc/resolv.conf"
# Node.js asks for it to verify servers; the certificates themselves are its own.
printf 'root:x:0:0::/tmp:/bin/false\n' > "$root/etc/passwd"

# The package as it is published, with exactly the locked packages.
(cd "$project" && npm run --silent build > /dev/null && npm pack --silent --ignore-scripts --pack-destination "$root" > /dev/null)
tar -xzf "$root"/cocoon-node-*.tgz -C "$root/app" --strip-components=1
rm "$root"/cocoon-node-*.tgz
cp "$project/package-lock.json" "$root/app/"
(cd "$root/app" && npm ci --silent --omit=dev --ignore-scripts --prefer-offline --no-audit --no-fund)
rm -f "$root/app/package-lock.json"
for platform in "$root"/app/node_modules/@node-llama-cpp/*; do
  case $gpu:${platform##*/} in
    *:linux-x64 | yes:linux-x64-cuda*) ;;
    *) rm -rf "$platform" ;;
  esac
done
find "$root/app/node_modules/@node-llama-cpp" -name '*.node' -o -name '*.so' | while read -r library; do
  copy_libraries "$library"
done

# Modules in the order in which they have to be loaded, those that others need first.
: > "$root/lib/modules.load"
if [ -n "$kernel_modules" ]; then
  for module in virtio_pci virtio_blk virtio_net ext4 configfs tsm tsm_report tdx_guest sev_guest; do
    line=$(grep -E "/$(echo "$module" | sed 's/_/[-_]/g')\.ko[^:]*:" "$kernel_modules/modules.dep" || true)
    # Built into the kernel, or not of this one.
    [ -n "$line" ] || continue
    for file in $(echo "$line" | sed 's/^\([^:]*\):\(.*\)$/\2 \1/' | awk '{ for (i = NF - 1; i > 0; i--) print $i; print $NF }'); do
      target=/lib/modules/$(basename "$file" | sed 's/\.ko.*$/.ko/')
      grep -qxF "$target" "$root/lib/modules.load" && continue
      mkdir -p "$root/lib/modules"
      case $file in
        *.xz) xz -dc "$kernel_modules/$file" > "$root$target" ;;
        *.zst) zstd -qdc "$kernel_modules/$file" > "$root$target" ;;
        *) cp "$kernel_modules/$file" "$root$target" ;;
      esac
      echo "$target" >> "$root/lib/modules.load"
    done
  done
fi

node "$here/pack-initrd.js" "$root" "$out/initrd.img"
tr -d '\n' < "$here/cmdline" > "$out/cmdline"
node "$root/app/bin/cocoon-node.js" attest bundle --json > "$out/bundle.json"
(cd "$out" && sha256sum initrd.img cmdline)
echo "bundle $(sed -n 's/.*"digest":"\([0-9a-f]*\)".*/\1/p' "$out/bundle.json" | head -n 1)"
