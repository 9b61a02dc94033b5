# Says of each file below a mounted btrfs what the tests compare.
import os,sys,stat,ctypes
root=sys.argv[1]
def tab():
    t=[]
    for i in range(256):
        c=i
        for _ in range(8): c=(c>>1)^(0x82f63b78 if c&1 else 0)
        t.append(c)
    return t
T=tab()
def crc(path):
    c=0xffffffff
    for b in open(path,'rb').read(): c=T[(c^b)&0xff]^c>>8
    return c^0xffffffff
libc=ctypes.CDLL(None,use_errno=True)
class TS(ctypes.Structure): _fields_=[('s',ctypes.c_int64),('n',ctypes.c_uint32),('p',ctypes.c_int32)]
class STX(ctypes.Structure): _fields_=[('mask',ctypes.c_uint32),('a',ctypes.c_uint8*60),('atime',TS),('btime',TS),('ctime',TS),('mtime',TS),('r',ctypes.c_uint8*200)]
def btime(p):
    x=STX()
    if libc.statx(-100,p,0x100,0xfff,ctypes.byref(x)): return None
    return x.btime
def esc(b): return ''.join(chr(c) if 0x20<c<0x7f and c!=0x5c else '\\x%02x'%c for c in b)
K={stat.S_IFREG:'regular',stat.S_IFDIR:'directory',stat.S_IFLNK:'link',stat.S_IFCHR:'characterDevice',stat.S_IFBLK:'blockDevice',stat.S_IFIFO:'fifo',stat.S_IFSOCK:'socket'}
def ts(ns): return '%d.%d'%(ns//10**9,ns%10**9)
def visit(path,rel):
    s=os.lstat(path)
    k=K[stat.S_IFMT(s.st_mode)]
    line='%s %s %o %d %d %d %s %s %s'%(esc(rel),k,s.st_mode&0o7777,s.st_uid,s.st_gid,s.st_nlink,ts(s.st_mtime_ns),ts(s.st_ctime_ns),ts(s.st_atime_ns))
    if s.st_ino==2: line='%s %s %o %d %d %d 0.0 0.0 0.0'%(esc(rel),k,s.st_mode&0o7777,s.st_uid,s.st_gid,s.st_nlink)
    b=btime(path); line+=' b-' if (s.st_ino==2 or b is None) else ' b%d.%d'%(b.s,b.n)
    if k in('characterDevice','blockDevice'): line+=' %d:%d'%(os.major(s.st_rdev),os.minor(s.st_rdev))
    try:
        for x in sorted(os.listxattr(path,follow_symlinks=False),key=os.fsencode):
            line+=' x:'+esc(os.fsencode(x))+'='+os.getxattr(path,x,follow_symlinks=False).hex()
    except OSError as e: line+=' XERR%d'%e.errno
    if k=='link': line+=' -> '+esc(os.readlink(path))
    if k=='regular':
        try: line+=' %d %x'%(s.st_size,crc(path))
        except OSError: line+=' EIO'
    print(line)
    if k=='directory':
        for n in os.listdir(path): visit(path+b'/'+n,rel+b'/'+n)
sys.setrecursionlimit(10000)
visit(os.fsencode(root),b'.')
