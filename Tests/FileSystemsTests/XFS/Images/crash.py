# Changes files of a mounted XFS, and stops it as a power cut would: crash.py DIRECTORY VERSION
import os,sys,struct,fcntl
os.chdir(sys.argv[1]); v5=sys.argv[2]=='5'
def w(p,d):
    with open(p,'wb',0) as f: f.write(d)
def commit(p='.'):
    f=os.open(p,os.O_RDONLY); os.fsync(f); os.close(f)
os.mkdir('old')
for i in range(60): w('old/a file that was there before %d'%i,b'before %d\n'%i*20)
w('grows',b'short\n'); w('shrinks',b'long '*20000); w('moved',b'moved\n'); w('gone',b'gone\n'); w('kept open',b'open\n')
with open('pieces','wb',0) as f:
    for i in range(60): f.seek(i*8192); f.write(bytes([65+i%26])*4096); os.fsync(f.fileno())
os.mkdir('blocks')
for i in range(40): os.link('moved','blocks/a name that fills the blocks of a directory %d'%i)
os.sync()
# What follows is in the log only, but for the content of files.
for i in range(0,60,3): os.unlink('old/a file that was there before %d'%i)
for i in range(100):
    w('old/a new file %d'%i,b'new %d\n'%i)
    if i==50: commit()
w('grows',b'long now '*5000); os.truncate('shrinks',10); os.rename('moved','old/moved here'); os.unlink('gone')
os.chmod('old',0o1750); os.chown('grows',1000,100); os.utime('grows',ns=(10**18+1,10**18+2))
os.symlink('x'*30,'short link'); os.symlink('/'.join(['a directory']*80),'long link')
os.mkfifo('fifo'); os.mknod('null',0o20666,os.makedev(1,3))
with open('pieces','r+b',0) as f:
    for i in range(60,90): f.seek(i*8192); f.write(bytes([65+i%26])*4096); os.fsync(f.fileno())
with open('many pieces','wb',0) as f:
    for i in range(150,-1,-1): f.seek(i*8192); f.write(b'm'*512); os.fsync(f.fileno())
for i in range(30): os.setxattr('grows','user.attribute %d'%i,b'value %d '%i*i)
os.setxattr('old','user.short',b'short'); os.setxattr('shrinks','user.large',b'large '*1500)
# Blocks of metadata that are freed, and become file content: what was logged of them must not come back.
commit('blocks')
for n in os.listdir('blocks'): os.unlink('blocks/'+n)
os.rmdir('blocks'); os.removexattr('shrinks','user.large')
commit()
for i in range(60):
    with open('reused %d'%i,'wb',0) as f:
        os.posix_fallocate(f.fileno(),0,4096); f.write(b'content %d\n'%i*370); os.fsync(f.fileno())
if v5:
    with open('clone','wb',0) as f, open('pieces','rb') as g: fcntl.ioctl(f,0x40049409,g.fileno())
    with open('clone','r+b',0) as f: f.seek(8192); f.write(b'written after'); os.fsync(f.fileno())
open_file=open('kept open'); os.unlink('kept open')
os.makedirs('a/b/c/d'); w('a/b/c/d/last',b'last\n'); commit('a/b/c/d/last')
w('never committed',b'lost\n'); os.rename('grows','lost name')
f=os.open('.',os.O_RDONLY); fcntl.ioctl(f,0x8004587d,struct.pack('<I',2))
