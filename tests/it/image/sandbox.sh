# Runs /idp-operator in the folder "$1" as a container does: the folder is its whole root, read-only, with /proc and the
# devices that every container has (OCI runtime specification, "Default Devices"); as another user, who can gain no
# rights. The rest are its arguments.
set -eu
unset KUBECONFIG HOME
root=$1
shift
mount --bind "$root" "$root"
mount --bind /proc "$root/proc"
for device in null zero full random urandom; do
  mount --bind "/dev/$device" "$root/dev/$device"
done
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs chroot --userspec=65532:65532 --groups=65532 "$root" /idp-operator "$@"
