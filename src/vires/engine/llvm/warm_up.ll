; A program as the engine writes it (VIRES_DUMP=llvm of jit(sin(x) * 2 + cos(y))): compiled once to warm LLVM up.
declare double @cos(double)
declare double @sin(double)
define internal void @k1(ptr %frame, i64 %task) nounwind {
entry:
  %v1 = getelementptr ptr, ptr %frame, i64 1
  %v2 = load ptr, ptr %v1
  %v3 = getelementptr ptr, ptr %frame, i64 3
  %v4 = load ptr, ptr %v3
  br label %v5.loop
v5.loop:
  %v7 = phi i64 [ 0, %entry ], [ %v17, %v15.12.join ]
  %v8 = sub i64 50, 16
  %v9 = call i64 @llvm.smin.i64(i64 %v7, i64 %v8)
  %v10 = getelementptr float, ptr %v2, i64 %v9
  %v11 = load <16 x float>, ptr %v10, align 4
  %v12 = call <16 x float> @llvm.fabs.v16f32(<16 x float> %v11)
  %v13.1 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v12, <16 x float> splat (float 0x3FE45F3060000000), <16 x float> splat (float 0x4168000000000000))
  %v13.2 = fsub <16 x float> %v13.1, splat (float 0x4168000000000000)
  %v13.3 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v13.2, <16 x float> splat (float 0xBFF921FB40000000), <16 x float> %v12)
  %v13.4 = fmul <16 x float> %v13.2, splat (float 0x3E74442D00000000)
  %v13.5 = fsub <16 x float> %v13.3, %v13.4
  %v13.6 = fsub <16 x float> %v13.3, %v13.5
  %v13.7 = fsub <16 x float> %v13.6, %v13.4
  %v13.8 = fneg <16 x float> %v13.4
  %v13.9 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v13.2, <16 x float> splat (float 0x3E74442D00000000), <16 x float> %v13.8)
  %v13.10 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v13.2, <16 x float> splat (float 0x3CF8469880000000), <16 x float> %v13.9)
  %v13.11 = fsub <16 x float> %v13.7, %v13.10
  %v13.12 = bitcast <16 x float> %v13.1 to <16 x i32>
  %v14.1 = fmul <16 x float> %v13.5, %v13.5
  %v14.2 = fmul <16 x float> %v14.1, %v13.5
  %v14.3 = call <16 x float> @llvm.fma.v16f32(<16 x float> splat (float 0xBF2994CFE0000000), <16 x float> %v14.1, <16 x float> splat (float 0x3F811076C0000000))
  %v14.4 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v14.3, <16 x float> %v14.1, <16 x float> splat (float 0xBFC5555460000000))
  %v14.5 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v14.2, <16 x float> %v14.4, <16 x float> %v13.11)
  %v14.6 = fadd <16 x float> %v14.5, %v13.5
  %v14.7 = fadd <16 x float> %v13.5, %v13.5
  %v14.8 = fmul <16 x float> %v14.7, %v13.11
  %v14.9 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v13.5, <16 x float> %v13.5, <16 x float> %v14.8)
  %v14.10 = call <16 x float> @llvm.fma.v16f32(<16 x float> splat (float 0x3EF99DEF40000000), <16 x float> %v14.9, <16 x float> splat (float 0xBF56C0C160000000))
  %v14.11 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v14.10, <16 x float> %v14.9, <16 x float> splat (float 0x3FA55554A0000000))
  %v14.12 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v14.11, <16 x float> %v14.9, <16 x float> splat (float 0xBFE0000000000000))
  %v14.13 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v14.9, <16 x float> %v14.12, <16 x float> splat (float 0x3FF0000000000000))
  %v15.1 = add <16 x i32> %v13.12, splat (i32 1)
  %v15.2 = and <16 x i32> %v15.1, splat (i32 1)
  %v15.3 = icmp ne <16 x i32> %v15.2, splat (i32 0)
  %v15.4 = select <16 x i1> %v15.3, <16 x float> %v14.13, <16 x float> %v14.6
  %v15.5 = shl <16 x i32> %v15.1, splat (i32 30)
  %v15.6 = bitcast <16 x float> %v15.4 to <16 x i32>
  %v15.7 = and <16 x i32> %v15.5, splat (i32 -2147483648)
  %v15.8 = xor <16 x i32> %v15.6, %v15.7
  %v15.9 = bitcast <16 x i32> %v15.8 to <16 x float>
  %v15.10 = fcmp ogt <16 x float> %v12, splat (float 0x40F86A0000000000)
  %v15.13 = bitcast <16 x i1> %v15.10 to i16
  %v15.14 = icmp ne i16 %v15.13, 0
  br i1 %v15.14, label %v15.11.rare, label %v15.12.join, !prof !0
v15.11.rare:
  %v15.15 = fpext <16 x float> %v11 to <16 x double>
  br label %v15.16.lane
v15.16.lane:
  %v15.18 = phi i64 [ 0, %v15.11.rare ], [ %v15.19, %v15.16.lane ]
  %v15.20 = phi <16 x double> [ poison, %v15.11.rare ], [ %v15.21, %v15.16.lane ]
  %v15.22 = extractelement <16 x double> %v15.15, i64 %v15.18
  %v15.23 = call double @cos(double %v15.22)
  %v15.21 = insertelement <16 x double> %v15.20, double %v15.23, i64 %v15.18
  %v15.19 = add i64 %v15.18, 1
  %v15.24 = icmp ne i64 %v15.19, 16
  br i1 %v15.24, label %v15.16.lane, label %v15.17.lanes
v15.17.lanes:
  %v15.25 = fptrunc <16 x double> %v15.21 to <16 x float>
  %v15.26 = select <16 x i1> %v15.10, <16 x float> %v15.25, <16 x float> %v15.9
  br label %v15.12.join
v15.12.join:
  %v15.27 = phi <16 x float> [ %v15.9, %v5.loop ], [ %v15.26, %v15.17.lanes ]
  %v16 = getelementptr float, ptr %v4, i64 %v9
  store <16 x float> %v15.27, ptr %v16, align 4
  %v17 = add i64 %v7, 16
  %v18 = icmp slt i64 %v17, 50
  br i1 %v18, label %v5.loop, label %v6.done
v6.done:
  ret void
}

define internal void @k2(ptr %frame, i64 %task) nounwind {
entry:
  %v1 = getelementptr ptr, ptr %frame, i64 3
  %v2 = load ptr, ptr %v1
  %v3 = getelementptr ptr, ptr %frame, i64 0
  %v4 = load ptr, ptr %v3
  %v5 = getelementptr ptr, ptr %frame, i64 2
  %v6 = load ptr, ptr %v5
  br label %v7.loop
v7.loop:
  %v9 = phi i64 [ 0, %entry ], [ %v31, %v14.done ]
  %v10 = mul i64 %v9, 50
  %v11 = getelementptr float, ptr %v4, i64 %v10
  %v12 = getelementptr float, ptr %v6, i64 %v10
  br label %v13.loop
v13.loop:
  %v15 = phi i64 [ 0, %v7.loop ], [ %v29, %v25.13.join ]
  %v16 = sub i64 50, 16
  %v17 = call i64 @llvm.smin.i64(i64 %v15, i64 %v16)
  %v18 = getelementptr float, ptr %v2, i64 %v17
  %v19 = load <16 x float>, ptr %v18, align 4
  %v20 = getelementptr float, ptr %v11, i64 %v17
  %v21 = load <16 x float>, ptr %v20, align 4
  %v22 = call <16 x float> @llvm.fabs.v16f32(<16 x float> %v21)
  %v23.1 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v22, <16 x float> splat (float 0x3FE45F3060000000), <16 x float> splat (float 0x4168000000000000))
  %v23.2 = fsub <16 x float> %v23.1, splat (float 0x4168000000000000)
  %v23.3 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v23.2, <16 x float> splat (float 0xBFF921FB40000000), <16 x float> %v22)
  %v23.4 = fmul <16 x float> %v23.2, splat (float 0x3E74442D00000000)
  %v23.5 = fsub <16 x float> %v23.3, %v23.4
  %v23.6 = fsub <16 x float> %v23.3, %v23.5
  %v23.7 = fsub <16 x float> %v23.6, %v23.4
  %v23.8 = fneg <16 x float> %v23.4
  %v23.9 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v23.2, <16 x float> splat (float 0x3E74442D00000000), <16 x float> %v23.8)
  %v23.10 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v23.2, <16 x float> splat (float 0x3CF8469880000000), <16 x float> %v23.9)
  %v23.11 = fsub <16 x float> %v23.7, %v23.10
  %v23.12 = bitcast <16 x float> %v23.1 to <16 x i32>
  %v24.1 = fmul <16 x float> %v23.5, %v23.5
  %v24.2 = fmul <16 x float> %v24.1, %v23.5
  %v24.3 = call <16 x float> @llvm.fma.v16f32(<16 x float> splat (float 0xBF2994CFE0000000), <16 x float> %v24.1, <16 x float> splat (float 0x3F811076C0000000))
  %v24.4 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v24.3, <16 x float> %v24.1, <16 x float> splat (float 0xBFC5555460000000))
  %v24.5 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v24.2, <16 x float> %v24.4, <16 x float> %v23.11)
  %v24.6 = fadd <16 x float> %v24.5, %v23.5
  %v24.7 = fadd <16 x float> %v23.5, %v23.5
  %v24.8 = fmul <16 x float> %v24.7, %v23.11
  %v24.9 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v23.5, <16 x float> %v23.5, <16 x float> %v24.8)
  %v24.10 = call <16 x float> @llvm.fma.v16f32(<16 x float> splat (float 0x3EF99DEF40000000), <16 x float> %v24.9, <16 x float> splat (float 0xBF56C0C160000000))
  %v24.11 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v24.10, <16 x float> %v24.9, <16 x float> splat (float 0x3FA55554A0000000))
  %v24.12 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v24.11, <16 x float> %v24.9, <16 x float> splat (float 0xBFE0000000000000))
  %v24.13 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v24.9, <16 x float> %v24.12, <16 x float> splat (float 0x3FF0000000000000))
  %v25.1 = and <16 x i32> %v23.12, splat (i32 1)
  %v25.2 = icmp ne <16 x i32> %v25.1, splat (i32 0)
  %v25.3 = select <16 x i1> %v25.2, <16 x float> %v24.13, <16 x float> %v24.6
  %v25.4 = shl <16 x i32> %v23.12, splat (i32 30)
  %v25.5 = bitcast <16 x float> %v21 to <16 x i32>
  %v25.6 = xor <16 x i32> %v25.4, %v25.5
  %v25.7 = bitcast <16 x float> %v25.3 to <16 x i32>
  %v25.8 = and <16 x i32> %v25.6, splat (i32 -2147483648)
  %v25.9 = xor <16 x i32> %v25.7, %v25.8
  %v25.10 = bitcast <16 x i32> %v25.9 to <16 x float>
  %v25.11 = fcmp ogt <16 x float> %v22, splat (float 0x40F86A0000000000)
  %v25.14 = bitcast <16 x i1> %v25.11 to i16
  %v25.15 = icmp ne i16 %v25.14, 0
  br i1 %v25.15, label %v25.12.rare, label %v25.13.join, !prof !0
v25.12.rare:
  %v25.16 = fpext <16 x float> %v21 to <16 x double>
  br label %v25.17.lane
v25.17.lane:
  %v25.19 = phi i64 [ 0, %v25.12.rare ], [ %v25.20, %v25.17.lane ]
  %v25.21 = phi <16 x double> [ poison, %v25.12.rare ], [ %v25.22, %v25.17.lane ]
  %v25.23 = extractelement <16 x double> %v25.16, i64 %v25.19
  %v25.24 = call double @sin(double %v25.23)
  %v25.22 = insertelement <16 x double> %v25.21, double %v25.24, i64 %v25.19
  %v25.20 = add i64 %v25.19, 1
  %v25.25 = icmp ne i64 %v25.20, 16
  br i1 %v25.25, label %v25.17.lane, label %v25.18.lanes
v25.18.lanes:
  %v25.26 = fptrunc <16 x double> %v25.22 to <16 x float>
  %v25.27 = select <16 x i1> %v25.11, <16 x float> %v25.26, <16 x float> %v25.10
  br label %v25.13.join
v25.13.join:
  %v25.28 = phi <16 x float> [ %v25.10, %v13.loop ], [ %v25.27, %v25.18.lanes ]
  %v26 = fmul <16 x float> %v25.28, splat (float 0x4008000000000000)
  %v27 = fadd <16 x float> %v26, %v19
  %v28 = getelementptr float, ptr %v12, i64 %v17
  store <16 x float> %v27, ptr %v28, align 4
  %v29 = add i64 %v15, 16
  %v30 = icmp slt i64 %v29, 50
  br i1 %v30, label %v13.loop, label %v14.done
v14.done:
  %v31 = add i64 %v9, 1
  %v32 = icmp slt i64 %v31, 50
  br i1 %v32, label %v7.loop, label %v8.done
v8.done:
  ret void
}

define i32 @vires_entry(ptr %buffers, ptr %rt) nounwind {
entry:
  %frame = getelementptr ptr, ptr %buffers, i64 0
  call void @k1(ptr %frame, i64 0)
  call void @k2(ptr %frame, i64 0)
  ret i32 0
}

!0 = !{!"branch_weights", i32 1, i32 4000}
