#!/bin/sh
# Starts the guest with QEMU (10.1 or later for TDX):
#
#   run-guest.sh tdx|snp <firmware> <vmlinuz> <folder with initrd.img and cmdline> <data.img>
#
# The sizes below are measured too (RTMR 0, and the launch measurement of SNP): a policy's entry is for exactly these.
set -eu
[ $# -eq 5 ] || { sed -n '2,6p' "$0" >&2; exit 2; }
tee=$1 firmware=$2 kernel=$3 guest=$4 data=$5
memory=${MEMORY:-16G}
cpus=${CPUS:-4}
port=${PORT:-4710}

case $tee in
  tdx)
    # The quoting service of the host (qgsd) answers on a vsock port.
    set -- -cpu host -machine q35,kernel-irqchip=split,confidential-guest-support=tee \
      -object '{"qom-type":"tdx-guest","id":"tee","sept-ve-disable":true,"quote-generation-socket":{"type":"vsock","cid":"2","port":"4050"}}'
    ;;
  snp)
    # kernel-hashes puts kernel, initrd and command line into the measurement; the firmware has to be OVMF's AmdSev.
    set -- -cpu "${CPU_MODEL:-EPYC-v4}" -machine q35,confidential-guest-support=tee,memory-backend=ram \
      -object "memory-backend-memfd,id=ram,size=$memory,share=true" \
      -object sev-snp-guest,id=tee,cbitpos=51,reduced-phys-bits=1,kernel-hashes=on,policy=0x30000
    ;;
  *) echo "$tee: expected tdx or snp" >&2; exit 2 ;;
esac

exec qemu-system-x86_64 -accel kvm "$@" -m "$memory" -smp "$cpus" -bios "$firmware" \
  -nodefaults -no-reboot -display none -serial stdio \
  -kernel "$kernel" -initrd "$guest/initrd.img" -append "$(cat "$guest/cmdline")" \
  -drive "file=$data,if=none,id=data,format=raw" -device virtio-blk-pci,drive=data \
  -netdev "user,id=net,hostfwd=tcp::$port-:4710" -device virtio-net-pci,netdev=net
