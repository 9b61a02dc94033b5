# Fills a mounted XFS with new chunks of inodes, after it grew if that is wanted, and stops it as a power cut would:
# grow.py DIRECTORY grown|64k
import os,sys,struct,fcntl,subprocess
os.chdir(sys.argv[1])
def w(p,d):
    with open(p,'wb',0) as f: f.write(d); os.fsync(f.fileno())
w('before',b'before\n'); os.sync()
if sys.argv[2]=='grown': subprocess.run(['xfs_growfs','-d','.'],check=True,stdout=subprocess.DEVNULL)
for i in range(12):
    os.mkdir('directory %d'%i)
    for j in range(20): w('directory %d/file %d'%(i,j),b'content %d %d\n'%(i,j)*20)
f=os.open('.',os.O_RDONLY); os.fsync(f); fcntl.ioctl(f,0x8004587d,struct.pack('<I',2))
