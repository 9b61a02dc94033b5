# Changes files of a mounted btrfs, and syncs single ones, so that the log has what the trees have not: crash.py DIRECTORY
import os,sys,subprocess,ctypes
os.chdir(sys.argv[1])
def w(p,d,mode='wb',at=None):
    with open(p,mode,0) as f:
        if at is not None: f.seek(at)
        f.write(d)
def sync(*paths):
    for p in paths:
        f=os.open(p,os.O_RDONLY|os.O_NOFOLLOW); os.fsync(f); os.close(f)
def text(n,seed): return (b'%d some words that are compressed. '%seed*(n//30+1))[:n]
def fallocate(p,mode,start,count):
    f=os.open(p,os.O_RDWR); libc=ctypes.CDLL(None,use_errno=True)
    assert libc.fallocate(f,mode,ctypes.c_int64(start),ctypes.c_int64(count))==0; os.fsync(f); os.close(f)
def run(*words): subprocess.run(words,check=True,stdout=subprocess.DEVNULL)
def old():
    for n in ('grows','rewritten','shrinks','punched','moved','copied','linked','unlinked','attributes'): w(n,text(100000,len(n)))
    w('inline',b'small\n'); w('inline that grows',b'small\n'); w('gone',b'gone\n'); w('replaced',b'the old one\n'); w('mode',b'm')
    w('not synced',b'old\n'); w('kept open',b'open\n'); w('renamed over',b'over\n'); w('clone source',os.urandom(65536))
    os.link('linked','linked before'); os.link('unlinked','unlinked too'); os.setxattr('attributes','user.old',b'old'); os.setxattr('attributes','user.both',b'before')
    os.mkdir('d'); os.mkdir('e'); os.mkdir('full'); os.mkdir('empty later'); w('empty later/f',b'f')
    for i in range(100): w('full/a file that was there before %d'%i,b'before %d\n'%i)
    for i in range(3): w('d/%d'%i,b'%d'%i)
    w('compressed',b''); run('btrfs','property','set','compressed','compression','zstd'); w('compressed',text(200000,1),'r+b')
    w('plain',b''); run('chattr','+C','plain'); w('plain',text(20000,2),'r+b')
    w('hole',b'begin'); os.truncate('hole',300000)
def change():
    w('grows',text(50000,3),'ab'); w('rewritten',b'X'*5000,'r+b',30000); w('rewritten',b'Y'*4096,'r+b',65536)
    os.truncate('shrinks',12345); w('inline',b'more\n','ab'); w('inline that grows',text(9000,4),'ab'); w('compressed',text(150000,5),'r+b',100000)
    w('plain',b'in place','r+b',5000); w('hole',b'in the hole','r+b',200000); w('hole',b'end','ab'); os.chmod('mode',0o640); os.chown('mode',1000,100)
    os.setxattr('attributes','user.new',b'new'*50); os.setxattr('attributes','user.both',b'after'); os.removexattr('attributes','user.old')
    sync('grows','rewritten','shrinks','inline','inline that grows','compressed','plain','hole','mode','attributes')
    fallocate('punched',3,20000,40000); fallocate('grows',1,200000,50000); fallocate('rewritten',16,8192,8192)
    os.rename('moved','e/moved here'); sync('e/moved here')
    os.link('linked','d/linked here'); os.link('linked','linked again'); sync('linked')
    os.unlink('unlinked too'); sync('unlinked')
    w('new',text(70000,6)); w('new and small',b'new\n'); sync('new','new and small')
    os.mkdir('n'); os.mkdir('n/m'); w('n/m/file',b'deep\n'); os.symlink('../d','n/link'); os.mkfifo('n/fifo'); sync('n/m/file','n')
    os.unlink('replaced'); w('replaced',b'the new one\n'); sync('replaced')
    w('temporary',b'saved as editors do\n'); sync('temporary'); os.rename('temporary','renamed over'); sync('renamed over')
    for i in range(0,100,3): os.unlink('full/a file that was there before %d'%i)
    for i in range(60): w('full/a new file %d'%i,b'new %d\n'%i)
    os.rename('full/a file that was there before 1','full/renamed'); sync('full')
    os.unlink('d/0'); os.rename('d/1','d/one'); w('d/3',b'3'); sync('d')
    with open('clone','wb',0) as f, open('clone source','rb') as g:
        import fcntl; fcntl.ioctl(f,0x40049409,g.fileno()); f.seek(8192); f.write(b'changed in the clone'); os.fsync(f.fileno())
    fd=os.open('e',os.O_TMPFILE|os.O_RDWR); os.write(fd,b'a file without a name'); os.fsync(fd)
    keep=open('kept open'); os.unlink('kept open'); os.fsync(keep.fileno())
    os.unlink('empty later/f'); os.rmdir('empty later'); os.unlink('gone'); sync('.')
    w('sv/grows',text(30000,7),'ab'); w('sv/new',b'in a subvolume\n'); sync('sv/grows','sv/new')
    w('not synced',b'not synced\n','ab'); w('never synced',b'lost\n')
    return fd,keep
old()
run('btrfs','subvolume','create','sv'); w('sv/grows',text(20000,8)); w('sv/same',b'same\n'); os.sync()
kept=change()
run('cp','--sparse=always',sys.argv[2],sys.argv[3])
