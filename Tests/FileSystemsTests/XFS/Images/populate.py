import os,sys,struct,stat,socket
os.chdir(sys.argv[1]); v5=sys.argv[2]=='5'
def w(p,d,m=0o644):
    with open(p,'wb') as f: f.write(d)
    os.chmod(p,m)
w('linked',b''); w('hello',b'hello, world\n'); w('empty',b''); w('setuid',b'#!/bin/sh\n',0o6755)
os.chown('hello',1000,100); os.link('hello','hello again')
os.symlink('hello','short link'); os.symlink('/'.join(['a directory']*80),'long link'); os.symlink('x'*200,'middle link')
os.mkfifo('fifo'); os.mknod('null',stat.S_IFCHR|0o666,os.makedev(1,3)); os.mknod('disk',stat.S_IFBLK|0o660,os.makedev(259,70000))
s=socket.socket(socket.AF_UNIX); s.bind('socket'); s.close()
w(b'\xff\x01 \n odd',b'odd')
with open('sparse','wb') as f: f.seek(100000); f.write(b'middle'); f.truncate(1<<40)
with open('reserved','wb') as f:
    os.posix_fallocate(f.fileno(),0,300000); f.seek(8192); f.write(b'written'*1000)
with open('deleted later','wb') as f: f.write(b'deleted, and still there\n'*400)
with open('pieces','wb') as f:
    for i in range(60): f.seek(i*8192); f.write(bytes([65+i%26])*4096)
    os.fsync(f.fileno())
if v5:
    import fcntl
    with open('clone','wb') as f, open('pieces','rb') as g: fcntl.ioctl(f,0x40049409,g.fileno())
for n,c in (('short',3),('block',40),('leaf',300),('node',1500)):
    os.mkdir(n)
    for i in range(c):
        p='%s/the name of a file number %d'%(n,i)
        if i%100==99: os.symlink('../hello',p)
        elif i==7: os.mkdir(p)
        else:
            os.link('linked',p)
for n in ('block','node'):
    for i in range(10,40,3): os.unlink('%s/the name of a file number %d'%(n,i))
for i in range(40): w('gone%d'%i,b'gone %d\n'%i*300)
os.sync()
for i in range(40): os.unlink('gone%d'%i)
acl=struct.pack('<I',2)+b''.join(struct.pack('<HHI',*e) for e in ((1,6,0xffffffff),(2,4,1000),(2,6,1001),(4,4,0xffffffff),(8,7,50),(16,6,0xffffffff),(32,0,0xffffffff)))
os.setxattr('hello','user.mime_type',b'text/plain'); os.setxattr('hello','trusted.t',b'\0\1'); os.setxattr('hello','security.s',b's'*100)
os.setxattr('hello','system.posix_acl_access',acl); os.setxattr('leaf','system.posix_acl_default',acl)
os.setxattr('empty','user.large',bytes(i%7 for i in range(9000))); os.setxattr('empty','user.none',b'')
for i in range(100): os.setxattr('setuid','user.attribute number %d'%i,b'value %d '%i*(i%9))
os.setxattr('short link','trusted.of a link',b'l',follow_symlinks=False)
os.utime('empty',ns=(-5*10**8,(2**32 if v5 else 2**30)*10**9+123456789))
os.utime('fifo',ns=(10**9*(2**33 if v5 else 1),1))
