# Everybody's path has the sbin directories: poweroff and ip are for all.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
